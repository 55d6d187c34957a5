#include <gtest/gtest.h>

#include "base/encoding.h"
#include "s3/testing/harness.h"

// What error documents say besides code and message: names, sizes, digests and arguments, as Amazon has them.

namespace kiseki::s3 {
namespace {

using testing::Harness;
using testing::Response;

struct ErrorDocuments : ::testing::Test {
  Harness face;

  void SetUp() override {
    ASSERT_EQ(face.send({"PUT", "/bucket"}).status, 200U);
    ASSERT_EQ(face.send({"PUT", "/bucket/key", {}, "hello"}).status, 200U);
  }
  Response send(std::string method, std::string target, std::map<std::string, std::string> fields = {},
                std::string body = {}) {
    return face.send({std::move(method), std::move(target), std::move(fields), std::move(body)});
  }
};

TEST_F(ErrorDocuments, name_what_is_missing) {
  EXPECT_EQ(send("GET", "/bucket/no%20key").element("Key"), "no key");
  EXPECT_EQ(send("GET", "/nobucket/key").element("BucketName"), "nobucket");
  EXPECT_EQ(send("GET", "/nobucket?list-type=2").element("BucketName"), "nobucket");
  EXPECT_EQ(send("DELETE", "/bucket").element("BucketName"), "bucket");
  EXPECT_EQ(send("PUT", "/Bad_Bucket").element("BucketName"), "Bad_Bucket");
  EXPECT_EQ(send("GET", "/bucket?policy").element("BucketName"), "bucket");
  EXPECT_EQ(send("GET", "/bucket/key?uploadId=abc").element("UploadId"), "abc");
  const Response version = send("GET", "/bucket/key?versionId=v7");
  EXPECT_EQ(version.element("Key"), "key");
  EXPECT_EQ(version.element("VersionId"), "v7");
}

TEST_F(ErrorDocuments, of_a_copy_name_its_missing_source) {
  const Response no_key = send("PUT", "/bucket/to", {{"x-amz-copy-source", "bucket/from"}});
  EXPECT_EQ(no_key.element("Code"), "NoSuchKey");
  EXPECT_EQ(no_key.element("Key"), "from");
  const Response no_bucket = send("PUT", "/bucket/to", {{"x-amz-copy-source", "elsewhere/from"}});
  EXPECT_EQ(no_bucket.element("BucketName"), "elsewhere");
  const std::string upload = send("POST", "/bucket/to?uploads").element("UploadId");
  const Response no_part_source =
      send("PUT", "/bucket/to?partNumber=1&uploadId=" + upload, {{"x-amz-copy-source", "bucket/from"}});
  EXPECT_EQ(no_part_source.element("Key"), "from");
  const Response no_target =
      send("PUT", "/bucket/to", {{"x-amz-copy-source", "bucket/key"}, {"if-match", "\"a\""}});
  EXPECT_EQ(no_target.element("Code"), "NoSuchKey");
  EXPECT_EQ(no_target.element("Key"), "to");
}

TEST_F(ErrorDocuments, say_which_condition_failed) {
  const auto condition = [this](const char* method, std::map<std::string, std::string> fields) {
    return send(method, "/bucket/key", std::move(fields), method == std::string("PUT") ? "x" : "")
        .element("Condition");
  };
  EXPECT_EQ(condition("GET", {{"if-match", "\"x\""}}), "If-Match");
  EXPECT_EQ(condition("GET", {{"if-unmodified-since", "Thu, 23 May 2013 00:00:00 GMT"}}),
            "If-Unmodified-Since");
  EXPECT_EQ(condition("PUT", {{"if-match", "\"x\""}}), "If-Match");
  EXPECT_EQ(condition("PUT", {{"if-none-match", "*"}}), "If-None-Match");
  EXPECT_EQ(condition("DELETE", {{"if-match", "\"x\""}}), "If-Match");
  const auto copy = [this](const char* field, const char* value) {
    return send("PUT", "/bucket/to", {{"x-amz-copy-source", "bucket/key"}, {field, value}})
        .element("Condition");
  };
  EXPECT_EQ(copy("x-amz-copy-source-if-match", "\"x\""), "x-amz-copy-source-If-Match");
  EXPECT_EQ(copy("x-amz-copy-source-if-none-match", "*"), "x-amz-copy-source-If-None-Match");
}

TEST_F(ErrorDocuments, give_the_size_and_the_limit) {
  const Response key = send("GET", "/bucket/" + std::string(1025, 'k'));
  EXPECT_EQ(key.element("Size"), "1025");
  EXPECT_EQ(key.element("MaxSizeAllowed"), "1024");
  const Response metadata = send("PUT", "/bucket/key", {{"x-amz-meta-a", std::string(2048, 'x')}}, "x");
  EXPECT_EQ(metadata.element("Size"), "2049");
  EXPECT_EQ(metadata.element("MaxSizeAllowed"), "2048");
  const std::string large = Harness::signed_request(
      {"PUT",
       "/bucket/key",
       {{"content-length", "5368709121"}, {"x-amz-content-sha256", "UNSIGNED-PAYLOAD"}}});
  const Response too_large = Harness::parse(face.exchange(large)).back();
  EXPECT_EQ(too_large.element("ProposedSize"), "5368709121");
  EXPECT_EQ(too_large.element("MaxSizeAllowed"), "5368709120");
  const Response range = send("GET", "/bucket/key", {{"range", "bytes=9-"}});
  EXPECT_EQ(range.element("RangeRequested"), "bytes=9-");
  EXPECT_EQ(range.element("ActualObjectSize"), "5");
}

TEST_F(ErrorDocuments, give_the_parts_at_fault) {
  const std::string upload = send("POST", "/bucket/key?uploads").element("UploadId");
  const std::string target = "/bucket/key?uploadId=" + upload;
  const std::string etag = send("PUT", target + "&partNumber=1", {}, "x").field("etag");
  send("PUT", target + "&partNumber=2", {}, "x");
  const auto complete = [&](std::initializer_list<int> numbers, const std::string& tag) {
    std::string document = "<CompleteMultipartUpload>";
    for (const int number : numbers)
      document += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", number, tag);
    return send("POST", target, {}, document + "</CompleteMultipartUpload>");
  };
  const Response small = complete({1, 2}, etag);
  EXPECT_EQ(small.element("Code"), "EntityTooSmall");
  EXPECT_EQ(small.element("PartNumber"), "1");
  EXPECT_EQ(small.element("ProposedSize"), "1");
  EXPECT_EQ(small.element("MinSizeAllowed"), "5242880");
  EXPECT_EQ(small.element("ETag"), etag.substr(1, 32));
  const Response other = complete({2, 3}, etag);
  EXPECT_EQ(other.element("Code"), "InvalidPart");
  EXPECT_EQ(other.element("PartNumber"), "3");
  EXPECT_EQ(other.element("UploadId"), upload);
  EXPECT_EQ(complete({2, 1}, etag).element("UploadId"), upload);
}

TEST_F(ErrorDocuments, give_the_digests) {
  const std::string wrong = base64_encode(crypto::md5(as_view("other")));
  const Response md5 = send("PUT", "/bucket/key", {{"content-md5", wrong}}, "hello");
  EXPECT_EQ(md5.element("Code"), "BadDigest");
  EXPECT_EQ(md5.element("ExpectedDigest"), to_hex(crypto::md5(as_view("other"))));
  EXPECT_EQ(md5.element("CalculatedDigest"), "5d41402abc4b2a76b9719d911017c592");
  const Response crc = send("PUT", "/bucket/key", {{"x-amz-checksum-crc32", "AAAAAA=="}}, "hello");
  EXPECT_EQ(crc.element("ExpectedDigest"), "AAAAAA==");
  EXPECT_EQ(crc.element("CalculatedDigest"), "NhCmhg==");
  EXPECT_EQ(send("PUT", "/bucket/key", {{"content-md5", "x"}}, "hello").element("Content-MD5"), "x");
}

TEST_F(ErrorDocuments, name_the_argument) {
  const auto argument = [](const Response& response) {
    return response.element("Code") + " " + response.element("ArgumentName") + "=" +
           response.element("ArgumentValue");
  };
  EXPECT_EQ(argument(send("GET", "/bucket?max-keys=x")), "InvalidArgument max-keys=x");
  EXPECT_EQ(argument(send("GET", "/bucket?encoding-type=x")), "InvalidArgument encoding-type=x");
  EXPECT_EQ(argument(send("GET", "/bucket?list-type=3")), "InvalidArgument list-type=3");
  EXPECT_EQ(argument(send("GET", "/bucket?list-type=2&continuation-token=x")),
            "InvalidArgument continuation-token=x");
  EXPECT_EQ(argument(send("GET", "/bucket/key?partNumber=x")), "InvalidArgument partNumber=x");
  EXPECT_EQ(argument(send("PUT", "/bucket/to", {{"x-amz-copy-source", "bucket"}})),
            "InvalidArgument x-amz-copy-source=bucket");
  EXPECT_EQ(argument(send("PUT", "/bucket/to",
                          {{"x-amz-copy-source", "bucket/key"}, {"x-amz-metadata-directive", "MOVE"}})),
            "InvalidArgument x-amz-metadata-directive=MOVE");
}

TEST_F(ErrorDocuments, name_an_authorization_that_is_none) {
  const auto with = [this](const std::string& value) {
    return Harness::parse(
               face.exchange("GET /bucket/key HTTP/1.1\r\nHost: h\r\nAuthorization: " + value + "\r\n\r\n"))
        .front();
  };
  for (const char* bad : {"Basic dXNlcjpwYXNz", "Bearer abc", "AWS key:signature", "nonsense",
                          "AWS4-HMAC-SHA256", "aws4-hmac-sha256 Credential=a"}) {
    const Response refused = with(bad);
    EXPECT_EQ(refused.status, 400U);
    EXPECT_EQ(refused.element("Code"), "InvalidArgument") << bad;
    EXPECT_EQ(refused.element("ArgumentName"), "Authorization");
    EXPECT_EQ(refused.element("ArgumentValue"), bad);
  }
  EXPECT_EQ(with("").element("Code"), "AccessDenied");
}

TEST_F(ErrorDocuments, a_wrong_decoded_length_is_not_blamed_on_content_length) {
  const Response wrong = send(
      "PUT", "/bucket/key",
      {{"x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}, {"x-amz-decoded-content-length", "6"}},
      "5\r\nhello\r\n0\r\n\r\n");
  EXPECT_EQ(wrong.element("Code"), "IncompleteBody");
  EXPECT_EQ(wrong.element("Message").find("Content-Length"), std::string::npos);
  EXPECT_NE(wrong.element("Message").find("x-amz-decoded-content-length"), std::string::npos);
  EXPECT_EQ(wrong.element("NumberBytesExpected"), "6");
  EXPECT_EQ(wrong.element("NumberBytesProvided"), "5");
}

TEST_F(ErrorDocuments, name_what_is_not_built) {
  EXPECT_EQ(send("PUT", "/bucket?versioning", {}, "x").element("Parameter"), "versioning");
  EXPECT_EQ(send("PUT", "/bucket/key", {{"x-amz-tagging", "a=b"}}, "x").element("Header"), "x-amz-tagging");
  EXPECT_EQ(send("PUT", "/bucket/key", {{"if-none-match", "\"x\""}}, "x").element("Header"), "If-None-Match");
  EXPECT_EQ(
      send("PUT", "/bucket/key", {{"x-amz-storage-class", "GLACIER"}}, "x").element("StorageClassRequested"),
      "GLACIER");
  const Response method = send("PATCH", "/bucket/key");
  EXPECT_EQ(method.element("Method"), "PATCH");
  EXPECT_EQ(method.element("ResourceType"), "OBJECT");
  EXPECT_EQ(send("PUT", "/other", {}, "<CreateBucketConfiguration><Tags/></CreateBucketConfiguration>")
                .element("Element"),
            "Tags");
}

TEST_F(ErrorDocuments, say_how_many_keys_a_request_deletes_at_most) {
  std::string document = "<Delete>";
  for (int i = 0; i < 1001; ++i) document += "<Object><Key>k</Key></Object>";
  document += "</Delete>";
  const Response refused = send("POST", "/bucket?delete",
                                {{"content-md5", base64_encode(crypto::md5(as_view(document)))}}, document);
  EXPECT_EQ(refused.element("Code"), "MalformedXML");
  EXPECT_NE(refused.element("Message").find("at most 1,000 keys"), std::string::npos);
}

}  // namespace
}  // namespace kiseki::s3
