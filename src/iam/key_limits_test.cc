#include "iam/key_limits.h"

#include <gtest/gtest.h>

#include "iam/policy.h"

namespace kiseki::iam {
namespace {

bool may(const std::vector<std::string>& limits, Action action, std::string_view resource,
         std::string_view prefix = "-") {
  const auto document = key_limits(limits);
  EXPECT_TRUE(document);
  const auto policy = Policy::parse(*document, PolicyType::session);
  EXPECT_TRUE(policy) << policy.error().words();
  const Principal user;
  Context context;
  if (prefix != "-") context.set(ContextKey::prefix, prefix);
  return policy->judge({user, action, resource, context}).allows != Naming::none;
}

TEST(KeyLimits, hold_a_key_to_buckets_prefixes_and_reading) {
  EXPECT_TRUE(may({"data"}, Action::put_object, "arn:aws:s3:::data/x"));
  EXPECT_TRUE(may({"data"}, Action::list_bucket, "arn:aws:s3:::data"));
  EXPECT_FALSE(may({"data"}, Action::put_object, "arn:aws:s3:::data2/x"));
  EXPECT_FALSE(may({"data"}, Action::delete_bucket, "arn:aws:s3:::data"));
  EXPECT_FALSE(may({"data"}, Action::put_bucket_policy, "arn:aws:s3:::data"));
  EXPECT_FALSE(may({"data"}, Action::list_all_my_buckets, "arn:aws:s3:::*"));
  EXPECT_TRUE(may({"ro:data"}, Action::get_object, "arn:aws:s3:::data/x"));
  EXPECT_FALSE(may({"ro:data"}, Action::put_object, "arn:aws:s3:::data/x"));
  EXPECT_FALSE(may({"ro:data"}, Action::delete_object, "arn:aws:s3:::data/x"));
  EXPECT_TRUE(may({"data/team/"}, Action::put_object, "arn:aws:s3:::data/team/x"));
  EXPECT_FALSE(may({"data/team/"}, Action::put_object, "arn:aws:s3:::data/other/x"));
  EXPECT_TRUE(may({"data/team/"}, Action::list_bucket, "arn:aws:s3:::data", "team/x"));
  EXPECT_FALSE(may({"data/team/"}, Action::list_bucket, "arn:aws:s3:::data", "te"));
  EXPECT_FALSE(may({"data/team/"}, Action::list_bucket, "arn:aws:s3:::data"));
  EXPECT_TRUE(may({"ro:logs", "data"}, Action::put_object, "arn:aws:s3:::data/x"));
  EXPECT_FALSE(may({"ro:logs", "data"}, Action::put_object, "arn:aws:s3:::logs/x"));
}

TEST(KeyLimits, are_refused_when_they_are_none) {
  EXPECT_FALSE(key_limits({}));
  for (const auto* limit :
       {"", "ro:", "a", "UPPER", "data/a*", "data/${aws:username}", "data/\"", "data/\n", "*"}) {
    const std::string limits[] = {limit};
    EXPECT_FALSE(key_limits(limits)) << limit;
  }
}

}  // namespace
}  // namespace kiseki::iam
