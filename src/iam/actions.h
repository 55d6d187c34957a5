#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string_view>

namespace kiseki::iam {

/// What a request does, as policies name it. Actions of S3 first, then those of IAM and STS.
enum class Action : std::uint8_t {
  get_object,
  get_object_version,
  get_object_acl,
  get_object_version_acl,
  get_object_attributes,
  get_object_version_attributes,
  get_object_tagging,
  get_object_version_tagging,
  get_object_retention,
  get_object_legal_hold,
  get_object_torrent,
  get_object_version_torrent,
  put_object,
  put_object_acl,
  put_object_version_acl,
  put_object_tagging,
  put_object_version_tagging,
  put_object_retention,
  put_object_legal_hold,
  bypass_governance_retention,
  delete_object,
  delete_object_version,
  delete_object_tagging,
  delete_object_version_tagging,
  restore_object,
  abort_multipart_upload,
  list_multipart_upload_parts,
  get_object_version_for_replication,
  replicate_object,
  replicate_delete,
  replicate_tags,
  object_owner_override_to_bucket_owner,
  create_bucket,
  delete_bucket,
  list_bucket,
  list_bucket_versions,
  list_bucket_multipart_uploads,
  get_bucket_location,
  get_bucket_acl,
  put_bucket_acl,
  get_bucket_policy,
  put_bucket_policy,
  delete_bucket_policy,
  get_bucket_policy_status,
  get_bucket_public_access_block,
  put_bucket_public_access_block,
  get_bucket_ownership_controls,
  put_bucket_ownership_controls,
  get_bucket_versioning,
  put_bucket_versioning,
  get_bucket_tagging,
  put_bucket_tagging,
  get_bucket_cors,
  put_bucket_cors,
  get_lifecycle_configuration,
  put_lifecycle_configuration,
  get_bucket_website,
  put_bucket_website,
  delete_bucket_website,
  get_bucket_logging,
  put_bucket_logging,
  get_bucket_notification,
  put_bucket_notification,
  get_encryption_configuration,
  put_encryption_configuration,
  get_replication_configuration,
  put_replication_configuration,
  get_bucket_request_payment,
  put_bucket_request_payment,
  get_accelerate_configuration,
  put_accelerate_configuration,
  get_bucket_object_lock_configuration,
  put_bucket_object_lock_configuration,
  get_inventory_configuration,
  put_inventory_configuration,
  get_analytics_configuration,
  put_analytics_configuration,
  get_metrics_configuration,
  put_metrics_configuration,
  get_intelligent_tiering_configuration,
  put_intelligent_tiering_configuration,
  list_all_my_buckets,
  get_account_public_access_block,
  put_account_public_access_block,
  create_user,
  get_user,
  list_users,
  update_user,
  delete_user,
  create_access_key,
  list_access_keys,
  update_access_key,
  delete_access_key,
  get_access_key_last_used,
  put_user_policy,
  get_user_policy,
  list_user_policies,
  delete_user_policy,
  attach_user_policy,
  detach_user_policy,
  list_attached_user_policies,
  put_user_permissions_boundary,
  delete_user_permissions_boundary,
  tag_user,
  untag_user,
  list_user_tags,
  create_group,
  get_group,
  list_groups,
  update_group,
  delete_group,
  add_user_to_group,
  remove_user_from_group,
  list_groups_for_user,
  put_group_policy,
  get_group_policy,
  list_group_policies,
  delete_group_policy,
  attach_group_policy,
  detach_group_policy,
  list_attached_group_policies,
  create_role,
  get_role,
  list_roles,
  update_role,
  delete_role,
  update_assume_role_policy,
  put_role_policy,
  get_role_policy,
  list_role_policies,
  delete_role_policy,
  attach_role_policy,
  detach_role_policy,
  list_attached_role_policies,
  tag_role,
  untag_role,
  list_role_tags,
  pass_role,
  create_policy,
  get_policy,
  list_policies,
  delete_policy,
  create_policy_version,
  get_policy_version,
  list_policy_versions,
  delete_policy_version,
  set_default_policy_version,
  get_account_summary,
  list_account_aliases,
  create_account_alias,
  delete_account_alias,
  assume_role,
  get_session_token,
  get_caller_identity,
  get_federation_token,
  tag_session,
  set_source_identity,
};

inline constexpr std::size_t action_count = static_cast<std::size_t>(Action::set_source_identity) + 1;

/// What an action is done to.
enum class Level : std::uint8_t { account, bucket, object };

/// The grant of an access control list that is enough for an action, and whose list it stands in.
enum class AclRule : std::uint8_t {
  none,  ///< No list grants it.
  bucket_read,
  bucket_write,
  bucket_read_acp,
  bucket_write_acp,
  object_read,
  object_read_acp,
  object_write_acp,
};

struct ActionInfo {
  std::string_view name;  ///< "s3:GetObject"
  Level level;
  AclRule acl = AclRule::none;
};

const ActionInfo& describe(Action action) noexcept;

/// By its name in any case.
std::optional<Action> find_action(std::string_view name) noexcept;

class ActionSet {
 public:
  /// Every action whose name the pattern (with `*` and `?`, in any case) matches.
  static ActionSet matching(std::string_view pattern);

  bool contains(Action action) const noexcept { return bits_[static_cast<std::size_t>(action)]; }
  bool empty() const noexcept { return bits_.none(); }
  void add(const ActionSet& other) noexcept { bits_ |= other.bits_; }
  ActionSet complement() const noexcept;
  bool has_level(Level level) const noexcept;

 private:
  std::bitset<action_count> bits_;
};

}  // namespace kiseki::iam
