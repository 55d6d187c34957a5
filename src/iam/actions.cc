#include "iam/actions.h"

#include "iam/pattern.h"

namespace kiseki::iam {

namespace {

// In the order of `Action`.
constexpr ActionInfo table[] = {
    {"s3:GetObject", Level::object, AclRule::object_read},
    {"s3:GetObjectVersion", Level::object, AclRule::object_read},
    {"s3:GetObjectAcl", Level::object, AclRule::object_read_acp},
    {"s3:GetObjectVersionAcl", Level::object, AclRule::object_read_acp},
    {"s3:GetObjectAttributes", Level::object},
    {"s3:GetObjectVersionAttributes", Level::object},
    {"s3:GetObjectTagging", Level::object},
    {"s3:GetObjectVersionTagging", Level::object},
    {"s3:GetObjectRetention", Level::object},
    {"s3:GetObjectLegalHold", Level::object},
    {"s3:GetObjectTorrent", Level::object, AclRule::object_read},
    {"s3:GetObjectVersionTorrent", Level::object, AclRule::object_read},
    {"s3:PutObject", Level::object, AclRule::bucket_write},
    {"s3:PutObjectAcl", Level::object, AclRule::object_write_acp},
    {"s3:PutObjectVersionAcl", Level::object, AclRule::object_write_acp},
    {"s3:PutObjectTagging", Level::object},
    {"s3:PutObjectVersionTagging", Level::object},
    {"s3:PutObjectRetention", Level::object},
    {"s3:PutObjectLegalHold", Level::object},
    {"s3:BypassGovernanceRetention", Level::object},
    {"s3:DeleteObject", Level::object, AclRule::bucket_write},
    {"s3:DeleteObjectVersion", Level::object, AclRule::bucket_write},
    {"s3:DeleteObjectTagging", Level::object},
    {"s3:DeleteObjectVersionTagging", Level::object},
    {"s3:RestoreObject", Level::object},
    {"s3:AbortMultipartUpload", Level::object, AclRule::bucket_write},
    {"s3:ListMultipartUploadParts", Level::object, AclRule::bucket_write},
    {"s3:GetObjectVersionForReplication", Level::object},
    {"s3:ReplicateObject", Level::object},
    {"s3:ReplicateDelete", Level::object},
    {"s3:ReplicateTags", Level::object},
    {"s3:ObjectOwnerOverrideToBucketOwner", Level::object},
    {"s3:CreateBucket", Level::bucket},
    {"s3:DeleteBucket", Level::bucket},
    {"s3:ListBucket", Level::bucket, AclRule::bucket_read},
    {"s3:ListBucketVersions", Level::bucket, AclRule::bucket_read},
    {"s3:ListBucketMultipartUploads", Level::bucket, AclRule::bucket_read},
    {"s3:GetBucketLocation", Level::bucket},
    {"s3:GetBucketAcl", Level::bucket, AclRule::bucket_read_acp},
    {"s3:PutBucketAcl", Level::bucket, AclRule::bucket_write_acp},
    {"s3:GetBucketPolicy", Level::bucket},
    {"s3:PutBucketPolicy", Level::bucket},
    {"s3:DeleteBucketPolicy", Level::bucket},
    {"s3:GetBucketPolicyStatus", Level::bucket},
    {"s3:GetBucketPublicAccessBlock", Level::bucket},
    {"s3:PutBucketPublicAccessBlock", Level::bucket},
    {"s3:GetBucketOwnershipControls", Level::bucket},
    {"s3:PutBucketOwnershipControls", Level::bucket},
    {"s3:GetBucketVersioning", Level::bucket},
    {"s3:PutBucketVersioning", Level::bucket},
    {"s3:GetBucketTagging", Level::bucket},
    {"s3:PutBucketTagging", Level::bucket},
    {"s3:GetBucketCORS", Level::bucket},
    {"s3:PutBucketCORS", Level::bucket},
    {"s3:GetLifecycleConfiguration", Level::bucket},
    {"s3:PutLifecycleConfiguration", Level::bucket},
    {"s3:GetBucketWebsite", Level::bucket},
    {"s3:PutBucketWebsite", Level::bucket},
    {"s3:DeleteBucketWebsite", Level::bucket},
    {"s3:GetBucketLogging", Level::bucket},
    {"s3:PutBucketLogging", Level::bucket},
    {"s3:GetBucketNotification", Level::bucket},
    {"s3:PutBucketNotification", Level::bucket},
    {"s3:GetEncryptionConfiguration", Level::bucket},
    {"s3:PutEncryptionConfiguration", Level::bucket},
    {"s3:GetReplicationConfiguration", Level::bucket},
    {"s3:PutReplicationConfiguration", Level::bucket},
    {"s3:GetBucketRequestPayment", Level::bucket},
    {"s3:PutBucketRequestPayment", Level::bucket},
    {"s3:GetAccelerateConfiguration", Level::bucket},
    {"s3:PutAccelerateConfiguration", Level::bucket},
    {"s3:GetBucketObjectLockConfiguration", Level::bucket},
    {"s3:PutBucketObjectLockConfiguration", Level::bucket},
    {"s3:GetInventoryConfiguration", Level::bucket},
    {"s3:PutInventoryConfiguration", Level::bucket},
    {"s3:GetAnalyticsConfiguration", Level::bucket},
    {"s3:PutAnalyticsConfiguration", Level::bucket},
    {"s3:GetMetricsConfiguration", Level::bucket},
    {"s3:PutMetricsConfiguration", Level::bucket},
    {"s3:GetIntelligentTieringConfiguration", Level::bucket},
    {"s3:PutIntelligentTieringConfiguration", Level::bucket},
    {"s3:ListAllMyBuckets", Level::account},
    {"s3:GetAccountPublicAccessBlock", Level::account},
    {"s3:PutAccountPublicAccessBlock", Level::account},
    {"iam:CreateUser", Level::account},
    {"iam:GetUser", Level::account},
    {"iam:ListUsers", Level::account},
    {"iam:UpdateUser", Level::account},
    {"iam:DeleteUser", Level::account},
    {"iam:CreateAccessKey", Level::account},
    {"iam:ListAccessKeys", Level::account},
    {"iam:UpdateAccessKey", Level::account},
    {"iam:DeleteAccessKey", Level::account},
    {"iam:GetAccessKeyLastUsed", Level::account},
    {"iam:PutUserPolicy", Level::account},
    {"iam:GetUserPolicy", Level::account},
    {"iam:ListUserPolicies", Level::account},
    {"iam:DeleteUserPolicy", Level::account},
    {"iam:AttachUserPolicy", Level::account},
    {"iam:DetachUserPolicy", Level::account},
    {"iam:ListAttachedUserPolicies", Level::account},
    {"iam:PutUserPermissionsBoundary", Level::account},
    {"iam:DeleteUserPermissionsBoundary", Level::account},
    {"iam:TagUser", Level::account},
    {"iam:UntagUser", Level::account},
    {"iam:ListUserTags", Level::account},
    {"iam:CreateGroup", Level::account},
    {"iam:GetGroup", Level::account},
    {"iam:ListGroups", Level::account},
    {"iam:UpdateGroup", Level::account},
    {"iam:DeleteGroup", Level::account},
    {"iam:AddUserToGroup", Level::account},
    {"iam:RemoveUserFromGroup", Level::account},
    {"iam:ListGroupsForUser", Level::account},
    {"iam:PutGroupPolicy", Level::account},
    {"iam:GetGroupPolicy", Level::account},
    {"iam:ListGroupPolicies", Level::account},
    {"iam:DeleteGroupPolicy", Level::account},
    {"iam:AttachGroupPolicy", Level::account},
    {"iam:DetachGroupPolicy", Level::account},
    {"iam:ListAttachedGroupPolicies", Level::account},
    {"iam:CreateRole", Level::account},
    {"iam:GetRole", Level::account},
    {"iam:ListRoles", Level::account},
    {"iam:UpdateRole", Level::account},
    {"iam:DeleteRole", Level::account},
    {"iam:UpdateAssumeRolePolicy", Level::account},
    {"iam:PutRolePolicy", Level::account},
    {"iam:GetRolePolicy", Level::account},
    {"iam:ListRolePolicies", Level::account},
    {"iam:DeleteRolePolicy", Level::account},
    {"iam:AttachRolePolicy", Level::account},
    {"iam:DetachRolePolicy", Level::account},
    {"iam:ListAttachedRolePolicies", Level::account},
    {"iam:TagRole", Level::account},
    {"iam:UntagRole", Level::account},
    {"iam:ListRoleTags", Level::account},
    {"iam:PassRole", Level::account},
    {"iam:CreatePolicy", Level::account},
    {"iam:GetPolicy", Level::account},
    {"iam:ListPolicies", Level::account},
    {"iam:DeletePolicy", Level::account},
    {"iam:CreatePolicyVersion", Level::account},
    {"iam:GetPolicyVersion", Level::account},
    {"iam:ListPolicyVersions", Level::account},
    {"iam:DeletePolicyVersion", Level::account},
    {"iam:SetDefaultPolicyVersion", Level::account},
    {"iam:GetAccountSummary", Level::account},
    {"iam:ListAccountAliases", Level::account},
    {"iam:CreateAccountAlias", Level::account},
    {"iam:DeleteAccountAlias", Level::account},
    {"sts:AssumeRole", Level::account},
    {"sts:GetSessionToken", Level::account},
    {"sts:GetCallerIdentity", Level::account},
    {"sts:GetFederationToken", Level::account},
    {"sts:TagSession", Level::account},
    {"sts:SetSourceIdentity", Level::account},
};
static_assert(std::size(table) == action_count);

}  // namespace

const ActionInfo& describe(Action action) noexcept { return table[static_cast<std::size_t>(action)]; }

std::optional<Action> find_action(std::string_view name) noexcept {
  for (std::size_t i = 0; i < action_count; ++i) {
    if (equal_in_any_case(table[i].name, name)) return static_cast<Action>(i);
  }
  return std::nullopt;
}

ActionSet ActionSet::matching(std::string_view pattern) {
  const Pattern compiled = Pattern::wildcards(lower_case(pattern));
  ActionSet set;
  for (std::size_t i = 0; i < action_count; ++i) {
    set.bits_[i] = compiled.matches(lower_case(table[i].name));
  }
  return set;
}

ActionSet ActionSet::complement() const noexcept {
  ActionSet other;
  other.bits_ = ~bits_;
  return other;
}

bool ActionSet::has_level(Level level) const noexcept {
  for (std::size_t i = 0; i < action_count; ++i) {
    if (bits_[i] && table[i].level == level) return true;
  }
  return false;
}

}  // namespace kiseki::iam
