#include "s3/sigv2.h"

#include <gtest/gtest.h>

#include "s3/testing/harness.h"

namespace kiseki::s3 {
namespace {

using testing::example_key;
using testing::example_secret;
using testing::example_time;
using testing::Harness;
using testing::Response;

std::string text_to_sign(const std::string& head_text, std::string_view bucket = {}) {
  HttpHead head;
  EXPECT_EQ(parse_head(as_view(head_text + "\r\n"), head), HeadFault::none);
  const std::string_view target = head.target();
  return string_to_sign_v2(head, bucket, target.substr(0, target.find('?')), parse_target(target)->query);
}

// The example of the S3 user guide for query string authentication.
TEST(SigV2, signs_as_the_user_guide_does) {
  const std::string text = text_to_sign(
      "GET /photos/puppy.jpg?AWSAccessKeyId=A&Signature=x&Expires=1175139620 HTTP/1.1\r\n"
      "Host: awsexamplebucket1.us-west-1.s3.amazonaws.com\r\n",
      "awsexamplebucket1");
  EXPECT_EQ(text, "GET\n\n\n1175139620\n/awsexamplebucket1/photos/puppy.jpg");
  EXPECT_EQ(sign_v2(example_secret, text), "1No4mq5ETf02z8aet9voy6gui6E=");
}

TEST(SigV2, signs_what_changes_the_meaning) {
  EXPECT_EQ(
      text_to_sign("PUT /b/k%20k?uploadId=u%2F1&partNumber=2&foo=1&Expires=9&x-amz-meta-q=w HTTP/1.1\r\n"
                   "Host: h\r\nContent-Type: text/a\r\nContent-MD5: abc=\r\nX-Amz-Meta-B: 2\r\n"
                   "x-amz-acl: private\r\nX-Amz-Meta-B: 3\r\n"),
      "PUT\nabc=\ntext/a\n9\nx-amz-acl:private\nx-amz-meta-b:2,3\nx-amz-meta-q:w\n"
      "/b/k%20k?partNumber=2&uploadId=u/1");
  EXPECT_EQ(
      text_to_sign("GET /b?acl&response-content-type=a%2Fb&Expires=9&content-type=t HTTP/1.1\r\nHost: h\r\n"),
      "GET\n\nt\n9\n/b?acl&response-content-type=a/b");
}

struct Presigned : ::testing::Test {
  Harness face;

  void SetUp() override {
    ASSERT_EQ(face.send({"PUT", "/bucket"}).status, 200U);
    ASSERT_EQ(face.send({"PUT", "/bucket/key", {}, "data"}).status, 200U);
  }

  static std::string target(const std::string& method, const std::string& path, std::int64_t expires) {
    const std::string signature =
        sign_v2(example_secret, fmt::format("{}\n\n\n{}\n{}", method, expires, path));
    return fmt::format("{}?AWSAccessKeyId={}&Signature={}&Expires={}", path, example_key,
                       uri_encode(signature, Slash::encoded), expires);
  }
  Response send(const std::string& method, const std::string& target, const std::string& more = {}) {
    const auto all = Harness::parse(
        face.exchange(fmt::format("{} {} HTTP/1.1\r\nHost: h\r\n{}\r\n", method, target, more)), method);
    return all.empty() ? Response{} : all.front();
  }
};

TEST_F(Presigned, urls_of_version_two_work_until_they_expire) {
  EXPECT_EQ(send("GET", target("GET", "/bucket/key", example_time + 1)).body, "data");
  const Response late = send("GET", target("GET", "/bucket/key", example_time - 1));
  EXPECT_EQ(late.element("Code"), "AccessDenied");
  EXPECT_EQ(late.element("Message"), "Request has expired.");
  EXPECT_EQ(late.element("Expires"), "2013-05-23T23:59:59.000Z");
  EXPECT_EQ(send("PUT", target("GET", "/bucket/key", example_time + 1)).element("Code"),
            "SignatureDoesNotMatch");
  EXPECT_EQ(
      send("GET", target("GET", "/bucket/key", example_time + 1), "x-amz-acl: private\r\n").element("Code"),
      "SignatureDoesNotMatch");
}

TEST_F(Presigned, urls_of_version_two_must_be_whole) {
  EXPECT_EQ(send("GET", "/bucket/key?AWSAccessKeyId=A&Expires=1").element("Code"), "AccessDenied");
  EXPECT_EQ(send("GET", "/bucket/key?AWSAccessKeyId=A&Expires=x&Signature=s").element("Code"),
            "AccessDenied");
  EXPECT_EQ(send("GET", "/bucket/key?AWSAccessKeyId=A&Expires=1469353600&Signature=s").element("Code"),
            "InvalidAccessKeyId");
}

TEST(PresignedRefused, urls_of_version_two_are_refused_where_they_are_not_wanted) {
  Harness face(ServiceOptions{.presigned_v2 = PresignedV2Policy::refused});
  const auto all = Harness::parse(face.exchange(fmt::format(
      "GET {} HTTP/1.1\r\nHost: h\r\n\r\n", Presigned::target("GET", "/bucket/key", example_time + 1))));
  EXPECT_EQ(all.front().element("Code"), "InvalidRequest");
}

}  // namespace
}  // namespace kiseki::s3
