#include "iam/operations.h"

#include <algorithm>

namespace kiseki::iam {

namespace {

using Of = Requirement::Of;

// Rows of one operation stand together.
constexpr Requirement table[] = {
    {"ListBuckets", Of::service, Action::list_all_my_buckets, Action::list_all_my_buckets},
    {"CreateBucket", Of::bucket, Action::create_bucket, Action::create_bucket},
    {"CreateBucket", Of::bucket, Action::put_bucket_acl, Action::put_bucket_acl, "x-amz-acl"},
    {"CreateBucket", Of::bucket, Action::put_bucket_acl, Action::put_bucket_acl, "x-amz-grant-"},
    {"CreateBucket", Of::bucket, Action::put_bucket_object_lock_configuration,
     Action::put_bucket_object_lock_configuration, "x-amz-bucket-object-lock-enabled"},
    {"CreateBucket", Of::bucket, Action::put_bucket_versioning, Action::put_bucket_versioning,
     "x-amz-bucket-object-lock-enabled"},
    {"CreateBucket", Of::bucket, Action::put_bucket_ownership_controls, Action::put_bucket_ownership_controls,
     "x-amz-object-ownership"},
    {"DeleteBucket", Of::bucket, Action::delete_bucket, Action::delete_bucket},
    {"HeadBucket", Of::bucket, Action::list_bucket, Action::list_bucket},
    {"GetBucketLocation", Of::bucket, Action::get_bucket_location, Action::get_bucket_location},
    {"ListObjects", Of::bucket, Action::list_bucket, Action::list_bucket},
    {"ListObjectsV2", Of::bucket, Action::list_bucket, Action::list_bucket},
    {"ListObjectVersions", Of::bucket, Action::list_bucket_versions, Action::list_bucket_versions},
    {"ListMultipartUploads", Of::bucket, Action::list_bucket_multipart_uploads,
     Action::list_bucket_multipart_uploads},
    {"GetBucketVersioning", Of::bucket, Action::get_bucket_versioning, Action::get_bucket_versioning},
    {"PutBucketVersioning", Of::bucket, Action::put_bucket_versioning, Action::put_bucket_versioning},
    {"GetBucketAcl", Of::bucket, Action::get_bucket_acl, Action::get_bucket_acl},
    {"PutBucketAcl", Of::bucket, Action::put_bucket_acl, Action::put_bucket_acl},
    {"GetBucketPolicy", Of::bucket, Action::get_bucket_policy, Action::get_bucket_policy},
    {"PutBucketPolicy", Of::bucket, Action::put_bucket_policy, Action::put_bucket_policy},
    {"DeleteBucketPolicy", Of::bucket, Action::delete_bucket_policy, Action::delete_bucket_policy},
    {"GetBucketPolicyStatus", Of::bucket, Action::get_bucket_policy_status, Action::get_bucket_policy_status},
    {"GetPublicAccessBlock", Of::bucket, Action::get_bucket_public_access_block,
     Action::get_bucket_public_access_block},
    {"PutPublicAccessBlock", Of::bucket, Action::put_bucket_public_access_block,
     Action::put_bucket_public_access_block},
    {"DeletePublicAccessBlock", Of::bucket, Action::put_bucket_public_access_block,
     Action::put_bucket_public_access_block},
    {"GetBucketOwnershipControls", Of::bucket, Action::get_bucket_ownership_controls,
     Action::get_bucket_ownership_controls},
    {"PutBucketOwnershipControls", Of::bucket, Action::put_bucket_ownership_controls,
     Action::put_bucket_ownership_controls},
    {"DeleteBucketOwnershipControls", Of::bucket, Action::put_bucket_ownership_controls,
     Action::put_bucket_ownership_controls},
    {"GetBucketTagging", Of::bucket, Action::get_bucket_tagging, Action::get_bucket_tagging},
    {"PutBucketTagging", Of::bucket, Action::put_bucket_tagging, Action::put_bucket_tagging},
    {"DeleteBucketTagging", Of::bucket, Action::put_bucket_tagging, Action::put_bucket_tagging},
    {"GetBucketCors", Of::bucket, Action::get_bucket_cors, Action::get_bucket_cors},
    {"PutBucketCors", Of::bucket, Action::put_bucket_cors, Action::put_bucket_cors},
    {"DeleteBucketCors", Of::bucket, Action::put_bucket_cors, Action::put_bucket_cors},
    {"GetBucketLifecycleConfiguration", Of::bucket, Action::get_lifecycle_configuration,
     Action::get_lifecycle_configuration},
    {"PutBucketLifecycleConfiguration", Of::bucket, Action::put_lifecycle_configuration,
     Action::put_lifecycle_configuration},
    {"DeleteBucketLifecycle", Of::bucket, Action::put_lifecycle_configuration,
     Action::put_lifecycle_configuration},
    {"GetBucketWebsite", Of::bucket, Action::get_bucket_website, Action::get_bucket_website},
    {"PutBucketWebsite", Of::bucket, Action::put_bucket_website, Action::put_bucket_website},
    {"DeleteBucketWebsite", Of::bucket, Action::delete_bucket_website, Action::delete_bucket_website},
    {"GetBucketLogging", Of::bucket, Action::get_bucket_logging, Action::get_bucket_logging},
    {"PutBucketLogging", Of::bucket, Action::put_bucket_logging, Action::put_bucket_logging},
    {"GetBucketNotificationConfiguration", Of::bucket, Action::get_bucket_notification,
     Action::get_bucket_notification},
    {"PutBucketNotificationConfiguration", Of::bucket, Action::put_bucket_notification,
     Action::put_bucket_notification},
    {"GetBucketEncryption", Of::bucket, Action::get_encryption_configuration,
     Action::get_encryption_configuration},
    {"PutBucketEncryption", Of::bucket, Action::put_encryption_configuration,
     Action::put_encryption_configuration},
    {"DeleteBucketEncryption", Of::bucket, Action::put_encryption_configuration,
     Action::put_encryption_configuration},
    {"GetBucketReplication", Of::bucket, Action::get_replication_configuration,
     Action::get_replication_configuration},
    {"PutBucketReplication", Of::bucket, Action::put_replication_configuration,
     Action::put_replication_configuration},
    {"DeleteBucketReplication", Of::bucket, Action::put_replication_configuration,
     Action::put_replication_configuration},
    {"GetBucketRequestPayment", Of::bucket, Action::get_bucket_request_payment,
     Action::get_bucket_request_payment},
    {"PutBucketRequestPayment", Of::bucket, Action::put_bucket_request_payment,
     Action::put_bucket_request_payment},
    {"GetBucketAccelerateConfiguration", Of::bucket, Action::get_accelerate_configuration,
     Action::get_accelerate_configuration},
    {"PutBucketAccelerateConfiguration", Of::bucket, Action::put_accelerate_configuration,
     Action::put_accelerate_configuration},
    {"GetObjectLockConfiguration", Of::bucket, Action::get_bucket_object_lock_configuration,
     Action::get_bucket_object_lock_configuration},
    {"PutObjectLockConfiguration", Of::bucket, Action::put_bucket_object_lock_configuration,
     Action::put_bucket_object_lock_configuration},
    {"GetBucketInventoryConfiguration", Of::bucket, Action::get_inventory_configuration,
     Action::get_inventory_configuration},
    {"ListBucketInventoryConfigurations", Of::bucket, Action::get_inventory_configuration,
     Action::get_inventory_configuration},
    {"PutBucketInventoryConfiguration", Of::bucket, Action::put_inventory_configuration,
     Action::put_inventory_configuration},
    {"DeleteBucketInventoryConfiguration", Of::bucket, Action::put_inventory_configuration,
     Action::put_inventory_configuration},
    {"GetObject", Of::object, Action::get_object, Action::get_object_version},
    {"HeadObject", Of::object, Action::get_object, Action::get_object_version},
    {"GetObjectAttributes", Of::object, Action::get_object, Action::get_object_version},
    {"GetObjectAttributes", Of::object, Action::get_object_attributes, Action::get_object_version_attributes},
    {"GetObjectAcl", Of::object, Action::get_object_acl, Action::get_object_version_acl},
    {"PutObjectAcl", Of::object, Action::put_object_acl, Action::put_object_version_acl},
    {"GetObjectTagging", Of::object, Action::get_object_tagging, Action::get_object_version_tagging},
    {"PutObjectTagging", Of::object, Action::put_object_tagging, Action::put_object_version_tagging},
    {"DeleteObjectTagging", Of::object, Action::delete_object_tagging, Action::delete_object_version_tagging},
    {"GetObjectRetention", Of::object, Action::get_object_retention, Action::get_object_retention},
    {"PutObjectRetention", Of::object, Action::put_object_retention, Action::put_object_retention},
    {"PutObjectRetention", Of::object, Action::bypass_governance_retention,
     Action::bypass_governance_retention, "x-amz-bypass-governance-retention"},
    {"GetObjectLegalHold", Of::object, Action::get_object_legal_hold, Action::get_object_legal_hold},
    {"PutObjectLegalHold", Of::object, Action::put_object_legal_hold, Action::put_object_legal_hold},
    {"GetObjectTorrent", Of::object, Action::get_object_torrent, Action::get_object_version_torrent},
    {"RestoreObject", Of::object, Action::restore_object, Action::restore_object},
    {"SelectObjectContent", Of::object, Action::get_object, Action::get_object},
    {"PutObject", Of::object, Action::put_object, Action::put_object},
    {"PutObject", Of::object, Action::put_object_acl, Action::put_object_acl, "x-amz-acl"},
    {"PutObject", Of::object, Action::put_object_acl, Action::put_object_acl, "x-amz-grant-"},
    {"PutObject", Of::object, Action::put_object_tagging, Action::put_object_tagging, "x-amz-tagging"},
    {"PutObject", Of::object, Action::put_object_retention, Action::put_object_retention,
     "x-amz-object-lock-mode"},
    {"PutObject", Of::object, Action::put_object_retention, Action::put_object_retention,
     "x-amz-object-lock-retain-until-date"},
    {"PutObject", Of::object, Action::put_object_legal_hold, Action::put_object_legal_hold,
     "x-amz-object-lock-legal-hold"},
    {"PostObject", Of::object, Action::put_object, Action::put_object},
    {"PostObject", Of::object, Action::put_object_acl, Action::put_object_acl, "x-amz-acl"},
    {"PostObject", Of::object, Action::put_object_acl, Action::put_object_acl, "x-amz-grant-"},
    {"PostObject", Of::object, Action::put_object_tagging, Action::put_object_tagging, "x-amz-tagging"},
    {"PostObject", Of::object, Action::put_object_retention, Action::put_object_retention,
     "x-amz-object-lock-mode"},
    {"PostObject", Of::object, Action::put_object_retention, Action::put_object_retention,
     "x-amz-object-lock-retain-until-date"},
    {"PostObject", Of::object, Action::put_object_legal_hold, Action::put_object_legal_hold,
     "x-amz-object-lock-legal-hold"},
    {"CopyObject", Of::object, Action::put_object, Action::put_object},
    {"CopyObject", Of::object, Action::put_object_acl, Action::put_object_acl, "x-amz-acl"},
    {"CopyObject", Of::object, Action::put_object_acl, Action::put_object_acl, "x-amz-grant-"},
    {"CopyObject", Of::object, Action::put_object_tagging, Action::put_object_tagging, "x-amz-tagging"},
    {"CopyObject", Of::object, Action::put_object_retention, Action::put_object_retention,
     "x-amz-object-lock-mode"},
    {"CopyObject", Of::object, Action::put_object_retention, Action::put_object_retention,
     "x-amz-object-lock-retain-until-date"},
    {"CopyObject", Of::object, Action::put_object_legal_hold, Action::put_object_legal_hold,
     "x-amz-object-lock-legal-hold"},
    {"CopyObject", Of::source, Action::get_object, Action::get_object_version},
    {"RenameObject", Of::object, Action::put_object, Action::put_object},
    {"RenameObject", Of::source, Action::get_object, Action::get_object},
    {"RenameObject", Of::source, Action::delete_object, Action::delete_object},
    {"DeleteObject", Of::object, Action::delete_object, Action::delete_object_version},
    {"DeleteObject", Of::object, Action::bypass_governance_retention, Action::bypass_governance_retention,
     "x-amz-bypass-governance-retention"},
    {"DeleteObjects", Of::object, Action::delete_object, Action::delete_object_version},
    {"DeleteObjects", Of::object, Action::bypass_governance_retention, Action::bypass_governance_retention,
     "x-amz-bypass-governance-retention"},
    {"CreateMultipartUpload", Of::object, Action::put_object, Action::put_object},
    {"CreateMultipartUpload", Of::object, Action::put_object_acl, Action::put_object_acl, "x-amz-acl"},
    {"CreateMultipartUpload", Of::object, Action::put_object_acl, Action::put_object_acl, "x-amz-grant-"},
    {"CreateMultipartUpload", Of::object, Action::put_object_tagging, Action::put_object_tagging,
     "x-amz-tagging"},
    {"CreateMultipartUpload", Of::object, Action::put_object_retention, Action::put_object_retention,
     "x-amz-object-lock-mode"},
    {"CreateMultipartUpload", Of::object, Action::put_object_retention, Action::put_object_retention,
     "x-amz-object-lock-retain-until-date"},
    {"CreateMultipartUpload", Of::object, Action::put_object_legal_hold, Action::put_object_legal_hold,
     "x-amz-object-lock-legal-hold"},
    {"UploadPart", Of::object, Action::put_object, Action::put_object},
    {"UploadPartCopy", Of::object, Action::put_object, Action::put_object},
    {"UploadPartCopy", Of::source, Action::get_object, Action::get_object_version},
    {"CompleteMultipartUpload", Of::object, Action::put_object, Action::put_object},
    {"AbortMultipartUpload", Of::object, Action::abort_multipart_upload, Action::abort_multipart_upload},
    {"ListParts", Of::object, Action::list_multipart_upload_parts, Action::list_multipart_upload_parts},
};

ContextKeys set_of(std::initializer_list<ContextKey> keys) noexcept {
  ContextKeys set;
  for (const ContextKey key : keys) set.set(static_cast<std::size_t>(key));
  return set;
}

ContextKeys list_keys() noexcept {
  using enum ContextKey;
  return set_of({acl, grant_read, grant_write, grant_read_acp, grant_write_acp, grant_full_control});
}

ContextKeys write_keys() noexcept {
  using enum ContextKey;
  return list_keys() | set_of({copy_source, metadata_directive, storage_class, server_side_encryption,
                               sse_kms_key_id, sse_customer_algorithm, website_redirect_location,
                               request_object_tag, request_object_tag_keys, object_lock_mode,
                               object_lock_retain_until, object_lock_remaining_days, object_lock_legal_hold,
                               if_match, if_none_match, object_creation_operation});
}

}  // namespace

std::span<const Requirement> requirements_of(std::string_view operation) noexcept {
  const auto first = std::ranges::find(table, operation, &Requirement::operation);
  const auto last = std::find_if(first, std::end(table),
                                 [operation](const Requirement& row) { return row.operation != operation; });
  return {first, last};
}

ContextKeys keys_of(Action action) noexcept {
  using enum ContextKey;
  switch (action) {
    case Action::list_bucket:
    case Action::list_bucket_versions:
      return set_of({prefix, delimiter, max_keys});
    case Action::create_bucket:
      return list_keys() | set_of({location_constraint, object_ownership});
    case Action::put_bucket_acl:
      return list_keys();
    case Action::put_object:
      return write_keys();
    case Action::put_object_acl:
    case Action::put_object_version_acl:
      return list_keys() | set_of({existing_object_tag, version_id});
    case Action::put_object_tagging:
    case Action::put_object_version_tagging:
      return set_of({existing_object_tag, request_object_tag, request_object_tag_keys, version_id});
    case Action::put_object_retention:
      return set_of({object_lock_mode, object_lock_retain_until, object_lock_remaining_days, version_id});
    case Action::put_object_legal_hold:
      return set_of({object_lock_legal_hold, version_id});
    case Action::delete_object:
    case Action::delete_object_version:
      return set_of({if_match, version_id});
    default:
      break;
  }
  const bool reads = describe(action).level == Level::object;
  return reads ? set_of({existing_object_tag, version_id}) : ContextKeys{};
}

}  // namespace kiseki::iam
