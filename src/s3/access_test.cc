#include "s3/access.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "crypto/hash.h"
#include "iam/key_limits.h"
#include "iam/operations.h"
#include "s3/testing/harness.h"

namespace kiseki::s3 {
namespace {

using testing::Harness;
using testing::Request;
using testing::Response;

/// A policy of one statement in which single quotes stand for double ones.
std::string policy(std::string inside) {
  std::string text = "{'Version':'2012-10-17','Statement':[" + std::move(inside) + "]}";
  std::ranges::replace(text, '\'', '"');
  return text;
}

std::string allow(const std::string& actions, const std::string& resources, const std::string& more = {}) {
  return "{'Effect':'Allow','Action':[" + actions + "],'Resource':[" + resources + "]" + more + "}";
}

class AccessTest : public ::testing::Test {
 public:
  AccessTest() {
    EXPECT_EQ(root("PUT", "/data").status, 200U);
    EXPECT_EQ(root("PUT", "/other").status, 200U);
    for (const auto* key : {"/data/a/1", "/data/b/1", "/other/1"})
      EXPECT_EQ(root("PUT", key, "body").status, 200U);
  }

  Response root(std::string method, std::string target, std::string body = {}) {
    return harness.send(
        {.method = std::move(method), .target = std::move(target), .fields = {}, .body = std::move(body)});
  }
  /// By the key KEY.
  Response send(std::string method, std::string target, std::map<std::string, std::string> fields = {},
                std::string body = {}) {
    return harness.send({.method = std::move(method),
                         .target = std::move(target),
                         .fields = std::move(fields),
                         .body = std::move(body),
                         .access_key = "KEY",
                         .secret = "KEY"});
  }
  unsigned status(std::string method, std::string target, std::map<std::string, std::string> fields = {}) {
    return send(std::move(method), std::move(target), std::move(fields)).status;
  }
  void may(std::vector<std::string> policies, const std::string& limits = {}) {
    harness.credentials().add("KEY", std::move(policies), limits);
  }

  Harness harness;
};

TEST_F(AccessTest, a_user_without_policies_may_nothing) {
  may({});
  EXPECT_EQ(status("GET", "/"), 403U);
  EXPECT_EQ(status("GET", "/data"), 403U);
  EXPECT_EQ(status("HEAD", "/data"), 403U);
  EXPECT_EQ(status("GET", "/data/a/1"), 403U);
  EXPECT_EQ(status("PUT", "/data/a/2"), 403U);
  EXPECT_EQ(status("DELETE", "/data/a/1"), 403U);
  EXPECT_EQ(status("PUT", "/new-bucket"), 403U);
  EXPECT_EQ(status("DELETE", "/data"), 403U);
  EXPECT_EQ(status("GET", "/no-such-bucket/k"), 403U);
  EXPECT_EQ(send("GET", "/data/a/1").element("Code"), "AccessDenied");
}

TEST_F(AccessTest, a_user_may_what_its_policies_allow) {
  may({policy(allow("'s3:GetObject','s3:PutObject'", "'arn:aws:s3:::data/a/*'"))});
  EXPECT_EQ(status("GET", "/data/a/1"), 200U);
  EXPECT_EQ(status("HEAD", "/data/a/1"), 200U);
  EXPECT_EQ(status("PUT", "/data/a/2"), 200U);
  EXPECT_EQ(status("GET", "/data/b/1"), 403U);
  EXPECT_EQ(status("PUT", "/data/b/2"), 403U);
  EXPECT_EQ(status("DELETE", "/data/a/1"), 403U);
  EXPECT_EQ(status("GET", "/data"), 403U);
}

TEST_F(AccessTest, a_deny_wins) {
  may({policy(allow("'s3:*'", "'*'")), policy("{'Effect':'Deny','Action':'s3:GetObject','Resource':'*'}")});
  EXPECT_EQ(status("PUT", "/data/a/2"), 200U);
  EXPECT_EQ(status("GET", "/data/a/1"), 403U);
}

TEST_F(AccessTest, lists_are_limited_by_their_prefix) {
  may({policy(
      allow("'s3:ListBucket'", "'arn:aws:s3:::data'", ",'Condition':{'StringLike':{'s3:prefix':'a/*'}}"))});
  EXPECT_EQ(status("GET", "/data?list-type=2&prefix=a/"), 200U);
  EXPECT_EQ(status("GET", "/data?prefix=a/"), 200U);
  EXPECT_EQ(status("GET", "/data?list-type=2&prefix=b/"), 403U);
  EXPECT_EQ(status("GET", "/data?list-type=2"), 403U);
}

TEST_F(AccessTest, a_copy_needs_leave_at_both_ends) {
  may({policy(allow("'s3:PutObject'", "'arn:aws:s3:::data/*'") + "," +
              allow("'s3:GetObject'", "'arn:aws:s3:::data/a/*'"))});
  const auto copy = [&](const char* from) { return status("PUT", "/data/c", {{"x-amz-copy-source", from}}); };
  EXPECT_EQ(copy("data/a/1"), 200U);
  EXPECT_EQ(copy("/data/a%2F1"), 200U);
  EXPECT_EQ(copy("data/b/1"), 403U);
  EXPECT_EQ(copy("other/1"), 403U);
  EXPECT_EQ(copy("data"), 400U);
  EXPECT_EQ(status("PUT", "/other/c", {{"x-amz-copy-source", "data/a/1"}}), 403U);
}

TEST_F(AccessTest, many_deletions_are_judged_one_by_one) {
  may({policy(allow("'s3:DeleteObject'", "'arn:aws:s3:::data/a/*'"))});
  const std::string body = "<Delete><Object><Key>a/1</Key></Object><Object><Key>b/1</Key></Object></Delete>";
  const auto digest = base64_encode(crypto::md5(as_view(body)));
  const Response response = send("POST", "/data?delete", {{"content-md5", digest}}, body);
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.element("Code"), "AccessDenied");
  EXPECT_TRUE(response.body.contains("<Deleted><Key>a/1</Key></Deleted>")) << response.body;
  EXPECT_EQ(root("GET", "/data/a/1").status, 404U);
  EXPECT_EQ(root("GET", "/data/b/1").status, 200U);
}

TEST_F(AccessTest, multipart_uploads_need_the_leave_of_a_put) {
  may({policy(allow("'s3:PutObject'", "'arn:aws:s3:::data/a/*'"))});
  EXPECT_EQ(status("POST", "/data/a/m?uploads"), 200U);
  EXPECT_EQ(status("POST", "/data/b/m?uploads"), 403U);
  EXPECT_EQ(status("PUT", "/data/b/m?partNumber=1&uploadId=x"), 403U);
  EXPECT_EQ(status("DELETE", "/data/a/m?uploadId=x"), 403U);
  EXPECT_EQ(status("GET", "/data/a/m?uploadId=x"), 403U);
}

TEST_F(AccessTest, conditions_see_the_request) {
  const std::string unless =
      ",'Condition':{'StringEquals':{'aws:UserAgent':'good'},'DateLessThan':{'aws:CurrentTime':"
      "'2013-06-01T00:00:00Z'},'Bool':{'aws:SecureTransport':'false'}}";
  may({policy(allow("'s3:GetObject'", "'*'", unless))});
  EXPECT_EQ(status("GET", "/data/a/1", {{"user-agent", "good"}}), 200U);
  EXPECT_EQ(status("GET", "/data/a/1", {{"user-agent", "bad"}}), 403U);
  EXPECT_EQ(status("GET", "/data/a/1"), 403U);
  may({policy(allow("'s3:GetObject'", "'*'",
                    ",'Condition':{'DateGreaterThan':{'aws:CurrentTime':'2013-06-01T00:00:00Z'}}"))});
  EXPECT_EQ(status("GET", "/data/a/1"), 403U);
}

TEST_F(AccessTest, limits_of_a_key_hold_beside_its_policies) {
  const std::string limits[] = {"ro:data/a/"};
  may({policy(allow("'s3:*'", "'*'"))}, *iam::key_limits(limits));
  EXPECT_EQ(status("GET", "/data/a/1"), 200U);
  EXPECT_EQ(status("GET", "/data?list-type=2&prefix=a/"), 200U);
  EXPECT_EQ(status("GET", "/data/b/1"), 403U);
  EXPECT_EQ(status("PUT", "/data/a/2"), 403U);
  EXPECT_EQ(status("GET", "/"), 403U);
}

/// Whoever adds an operation to the routes says what it needs in iam's table too.
TEST(Operations, of_the_routes_need_what_their_permission_says) {
  struct Row {
    const char* method;
    const char* target;
  };
  constexpr Row rows[] = {{"GET", "/"},
                          {"GET", "/b?location"},
                          {"GET", "/b?versioning"},
                          {"GET", "/b?versions"},
                          {"GET", "/b?uploads"},
                          {"GET", "/b?list-type=2"},
                          {"GET", "/b?policy"},
                          {"GET", "/b?cors"},
                          {"GET", "/b?lifecycle"},
                          {"GET", "/b?tagging"},
                          {"GET", "/b?object-lock"},
                          {"GET", "/b?website"},
                          {"GET", "/b?replication"},
                          {"GET", "/b?encryption"},
                          {"GET", "/b?publicAccessBlock"},
                          {"GET", "/b"},
                          {"HEAD", "/b"},
                          {"PUT", "/b"},
                          {"DELETE", "/b"},
                          {"POST", "/b?delete"},
                          {"GET", "/b/k?uploadId=1"},
                          {"GET", "/b/k?tagging"},
                          {"GET", "/b/k"},
                          {"HEAD", "/b/k"},
                          {"PUT", "/b/k?uploadId=1&partNumber=1"},
                          {"PUT", "/b/k"},
                          {"DELETE", "/b/k?uploadId=1"},
                          {"DELETE", "/b/k"},
                          {"POST", "/b/k?uploads"},
                          {"POST", "/b/k?uploadId=1"}};
  for (const Row& row : rows) {
    HttpHead head;
    const std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: h\r\n\r\n", row.method, row.target);
    ASSERT_EQ(parse_head(as_view(text), head), HeadFault::none);
    const auto target = parse_target(row.target);
    const auto address = resolve_address(target->path == "/" ? "/" : "/bbb" + target->path.substr(2), "", "");
    ASSERT_TRUE(address) << row.target;
    const auto selected = find_operation(head, *address, target->query);
    ASSERT_TRUE(selected) << row.method << " " << row.target;
    const auto requirements = iam::requirements_of(selected->action.operation);
    ASSERT_FALSE(requirements.empty()) << selected->action.operation;
    EXPECT_EQ(iam::describe(requirements[0].action).name, selected->action.permission)
        << selected->action.operation;
  }
}

}  // namespace
}  // namespace kiseki::s3
