#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace kiseki::iam {

/// What conditions and policy variables may ask about a request. `tag` kinds are followed by a tag's name.
enum class ContextKey : std::uint8_t {
  current_time,
  epoch_time,
  mfa_age,
  mfa_present,
  principal_account,
  principal_arn,
  principal_is_service,
  principal_tag,
  principal_type,
  referer,
  request_tag,
  requested_region,
  resource_account,
  resource_tag,
  secure_transport,
  source_account,
  source_arn,
  source_identity,
  source_ip,
  tag_keys,
  token_issue_time,
  user_agent,
  user_id,
  user_name,
  // of S3
  auth_type,
  delimiter,
  existing_object_tag,
  if_match,
  if_none_match,
  location_constraint,
  max_keys,
  object_creation_operation,
  object_lock_legal_hold,
  object_lock_mode,
  object_lock_remaining_days,
  object_lock_retain_until,
  prefix,
  request_object_tag,
  request_object_tag_keys,
  s3_resource_account,
  signature_age,
  signature_version,
  tls_version,
  version_id,
  acl,
  content_sha256,
  copy_source,
  grant_full_control,
  grant_read,
  grant_read_acp,
  grant_write,
  grant_write_acp,
  metadata_directive,
  object_ownership,
  server_side_encryption,
  sse_kms_key_id,
  sse_customer_algorithm,
  storage_class,
  website_redirect_location,
  // of STS and IAM
  external_id,
  role_session_name,
  permissions_boundary,
  policy_arn,
  passed_to_service,
  /// Any that is not listed; no request has it.
  other,
};

inline constexpr std::size_t context_key_count = static_cast<std::size_t>(ContextKey::other) + 1;
using ContextKeys = std::bitset<context_key_count>;

/// A key as a policy writes it: "aws:SourceIp", "s3:ExistingObjectTag/project".
struct KeyName {
  ContextKey key = ContextKey::other;
  std::string tag;  ///< Of the kinds that name one.

  /// In any case; a tag's name in the case given. What is not known is `other`. `invalid_argument` when it is
  /// no key at all.
  static Result<KeyName> parse(std::string_view text);
  friend bool operator==(const KeyName&, const KeyName&) = default;
};

struct Tag {
  std::string_view key;
  std::string_view value;
};

/// What a request says to a key: nothing, one value or several.
class Values {
 public:
  Values() = default;
  explicit Values(std::string_view one) noexcept : one_(one), size_(1) {}
  explicit Values(std::span<const std::string_view> many) noexcept : many_(many.data()), size_(many.size()) {}

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }
  std::string_view operator[](std::size_t i) const noexcept { return many_ == nullptr ? one_ : many_[i]; }

 private:
  std::string_view one_;
  const std::string_view* many_ = nullptr;
  std::size_t size_ = 0;
};

/// What is known of one request. Holds references alone: what is set outlives it.
class Context {
 public:
  Context() noexcept {}  // NOLINT(modernize-use-equals-default): a defaulted one would fill all slots

  void set(ContextKey key, std::string_view value) noexcept;
  /// Of a key that has several values.
  void set(ContextKey key, std::span<const std::string_view> values) noexcept;
  /// Of `existing_object_tag`, `request_object_tag`, `request_tag`, `resource_tag`, `principal_tag`.
  void set_tags(ContextKey key, std::span<const Tag> tags) noexcept;

  /// Empty when the request does not have the key.
  Values find(const KeyName& name) const noexcept;

 private:
  struct Slot {
    enum class Type : std::uint8_t { one, many, tags } type;
    const void* data;
    std::size_t size;
  };
  void set(ContextKey key, Slot slot) noexcept;

  ContextKeys present_;
  std::array<Slot, context_key_count> slots_;  // those not present hold anything: filling them costs
};

/// "2013-08-16T15:04:05Z", as conditions on aws:CurrentTime compare it.
class TimeText {
 public:
  explicit TimeText(std::int64_t unix_seconds) noexcept;
  std::string_view view() const noexcept { return {text_.data(), size_}; }

 private:
  std::array<char, 32> text_;
  std::size_t size_;
};

}  // namespace kiseki::iam
