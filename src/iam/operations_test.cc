#include "iam/operations.h"

#include <gtest/gtest.h>

namespace kiseki::iam {
namespace {

std::vector<std::string> needs(std::string_view operation, bool names_version = false,
                               std::string_view field = {}) {
  std::vector<std::string> out;
  for (const Requirement& row : requirements_of(operation)) {
    EXPECT_EQ(row.operation, operation);
    if (!row.field.empty() && row.field != field) continue;
    const std::string of = row.of == Requirement::Of::source ? "source " : "";
    out.push_back(of + std::string(describe(names_version ? row.of_version : row.action).name));
  }
  return out;
}

using Names = std::vector<std::string>;

TEST(Operations, need_the_actions_that_aws_names) {
  EXPECT_EQ(needs("GetObject"), Names{"s3:GetObject"});
  EXPECT_EQ(needs("GetObject", true), Names{"s3:GetObjectVersion"});
  EXPECT_EQ(needs("HeadBucket"), Names{"s3:ListBucket"});
  EXPECT_EQ(needs("PutObject"), Names{"s3:PutObject"});
  EXPECT_EQ(needs("PutObject", false, "x-amz-acl"), (Names{"s3:PutObject", "s3:PutObjectAcl"}));
  EXPECT_EQ(needs("PutObject", false, "x-amz-tagging"), (Names{"s3:PutObject", "s3:PutObjectTagging"}));
  EXPECT_EQ(needs("CopyObject"), (Names{"s3:PutObject", "source s3:GetObject"}));
  EXPECT_EQ(needs("UploadPartCopy", true), (Names{"s3:PutObject", "source s3:GetObjectVersion"}));
  EXPECT_EQ(needs("RenameObject"), (Names{"s3:PutObject", "source s3:GetObject", "source s3:DeleteObject"}));
  EXPECT_EQ(needs("GetObjectAttributes"), (Names{"s3:GetObject", "s3:GetObjectAttributes"}));
  EXPECT_EQ(needs("DeleteObjects", true), Names{"s3:DeleteObjectVersion"});
  EXPECT_EQ(needs("DeleteObject", false, "x-amz-bypass-governance-retention"),
            (Names{"s3:DeleteObject", "s3:BypassGovernanceRetention"}));
  EXPECT_EQ(needs("CreateBucket", false, "x-amz-bucket-object-lock-enabled"),
            (Names{"s3:CreateBucket", "s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning"}));
  EXPECT_EQ(needs("CompleteMultipartUpload"), Names{"s3:PutObject"});
  EXPECT_TRUE(needs("NoSuchOperation").empty());
}

TEST(Operations, tell_which_keys_conditions_may_ask_about) {
  const auto asks = [](Action action, ContextKey key) {
    return keys_of(action).test(static_cast<std::size_t>(key));
  };
  EXPECT_TRUE(asks(Action::list_bucket, ContextKey::prefix));
  EXPECT_FALSE(asks(Action::get_object, ContextKey::prefix));
  EXPECT_TRUE(asks(Action::get_object, ContextKey::existing_object_tag));
  EXPECT_TRUE(asks(Action::put_object, ContextKey::request_object_tag));
  EXPECT_FALSE(asks(Action::put_object, ContextKey::existing_object_tag));
  EXPECT_TRUE(asks(Action::create_bucket, ContextKey::location_constraint));
  EXPECT_TRUE(keys_of(Action::delete_bucket).none());
}

}  // namespace
}  // namespace kiseki::iam
