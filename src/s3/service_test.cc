#include "s3/service.h"

#include <gtest/gtest.h>

#include <boost/asio/write.hpp>

#include "base/encoding.h"
#include "s3/testing/harness.h"

// The pipeline, buckets and objects, through the whole face.

namespace kiseki::s3 {
namespace {

using testing::Harness;
using testing::Request;
using testing::Response;

struct Face : ::testing::Test {
  Harness face;

  void SetUp() override { ASSERT_EQ(face.send({"PUT", "/bucket"}).status, 200U); }

  Response send(std::string method, std::string target, std::map<std::string, std::string> fields = {},
                std::string body = {}) {
    return face.send({std::move(method), std::move(target), std::move(fields), std::move(body)});
  }
  /// DeleteObjects, with the digest it must have.
  Response erase(const std::string& document) {
    return send("POST", "/bucket?delete", {{"content-md5", base64_encode(crypto::md5(as_view(document)))}},
                document);
  }
  std::string code(std::string method, std::string target, std::map<std::string, std::string> fields = {},
                   std::string body = {}) {
    const Response response = send(std::move(method), std::move(target), std::move(fields), std::move(body));
    return fmt::format("{} {}", response.status, response.element("Code"));
  }
};

TEST_F(Face, anonymous_requests_are_denied) {
  const auto responses = Harness::parse(face.exchange("GET /bucket/key HTTP/1.1\r\nHost: h\r\n\r\n"));
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_EQ(responses[0].status, 403U);
  EXPECT_EQ(responses[0].element("Code"), "AccessDenied");
}

TEST_F(Face, every_answer_has_ids_and_every_error_repeats_them) {
  const Response response = send("GET", "/bucket/no%20such%3Ckey");
  EXPECT_EQ(response.status, 404U);
  EXPECT_EQ(response.field("x-amz-request-id").size(), 16U);
  EXPECT_EQ(response.element("RequestId"), response.field("x-amz-request-id"));
  EXPECT_EQ(response.element("HostId"), response.field("x-amz-id-2"));
  EXPECT_EQ(response.element("Resource"), "/bucket/no such&lt;key");
  EXPECT_NE(send("GET", "/bucket/k").field("x-amz-request-id"), response.field("x-amz-request-id"));
}

TEST_F(Face, tenants_do_not_see_each_other) {
  EXPECT_EQ(send("PUT", "/bucket/key", {}, "mine").status, 200U);
  Request other{"GET", "/bucket/key"};
  other.access_key = "OTHER";
  other.secret = "other";
  EXPECT_EQ(face.send(other).element("Code"), "NoSuchBucket");
  other.method = "PUT";
  other.target = "/bucket";
  EXPECT_EQ(face.send(other).element("Code"), "BucketAlreadyExists");
  other.target = "/others";
  EXPECT_EQ(face.send(other).status, 200U);
  EXPECT_EQ(code("GET", "/others/key"), "404 NoSuchBucket");
  EXPECT_EQ(code("PUT", "/others"), "409 BucketAlreadyExists");
}

TEST_F(Face, unknown_subresources_are_never_plain_requests) {
  send("PUT", "/bucket/key", {}, "data");
  for (const char* parameter : {"acl", "torrent", "attributes", "restore", "legal-hold", "select",
                                "x-amz-acl=p", "retention=", "session"}) {
    const Response refused = send("GET", std::string("/bucket/key?") + parameter);
    EXPECT_EQ(refused.element("Code"), "NotImplemented") << parameter;
    EXPECT_EQ(refused.element("Parameter"),
              std::string(parameter).substr(0, refused.element("Parameter").size()));
    EXPECT_FALSE(refused.element("Parameter").empty());
    EXPECT_EQ(code("PUT", std::string("/bucket/key?") + parameter, {}, "x"), "501 NotImplemented")
        << parameter;
    EXPECT_EQ(code("PUT", std::string("/bucket?") + parameter, {}, "x"), "501 NotImplemented") << parameter;
    EXPECT_EQ(code("DELETE", std::string("/bucket/key?") + parameter), "501 NotImplemented") << parameter;
  }
  for (const char* parameter : {"policy", "versioning", "lifecycle", "cors"}) {
    EXPECT_EQ(code("PUT", std::string("/bucket?") + parameter, {}, "x"), "501 NotImplemented") << parameter;
    EXPECT_EQ(code("DELETE", std::string("/bucket?") + parameter), "501 NotImplemented") << parameter;
  }
  EXPECT_EQ(send("GET", "/bucket/key").body, "data");
  EXPECT_EQ(send("GET", "/bucket/key?x-id=GetObject&versionId=null").body, "data");
  EXPECT_EQ(code("GET", "/bucket/key?versionId=1"), "404 NoSuchVersion");
  EXPECT_EQ(send("PUT", "/bucket/key?versionId=1", {}, "x").element("ArgumentName"), "versionId");
  EXPECT_EQ(code("POST", "/bucket"), "501 NotImplemented");
  EXPECT_EQ(code("PATCH", "/bucket/key"), "405 MethodNotAllowed");
  EXPECT_EQ(code("DELETE", "/"), "405 MethodNotAllowed");
}

TEST_F(Face, parameters_that_name_no_subresource_say_nothing) {
  for (const char* parameter : {"foo=1", "x-id=PutObject", "utm_source=a", "X-Amz-Foo=1",
                                "x-amz-checksum-mode=ENABLED", "prefix=a", "=", "&"}) {
    const std::string target = std::string("/bucket/key?") + parameter;
    EXPECT_EQ(code("PUT", target, {}, "data"), "200 ") << parameter;
    EXPECT_EQ(send("GET", target).body, "data") << parameter;
    EXPECT_EQ(send("HEAD", target).status, 200U) << parameter;
    EXPECT_EQ(send("GET", std::string("/bucket?list-type=2&") + parameter).status, 200U) << parameter;
    EXPECT_EQ(code("DELETE", target), "204 ") << parameter;
  }
}

TEST_F(Face, features_never_set_are_absent) {
  EXPECT_EQ(send("GET", "/bucket?versioning").status, 200U);
  EXPECT_EQ(code("GET", "/bucket?policy"), "404 NoSuchBucketPolicy");
  EXPECT_EQ(code("GET", "/bucket?cors"), "404 NoSuchCORSConfiguration");
  EXPECT_EQ(code("GET", "/bucket?lifecycle"), "404 NoSuchLifecycleConfiguration");
  EXPECT_EQ(code("GET", "/bucket?object-lock"), "404 ObjectLockConfigurationNotFoundError");
  EXPECT_EQ(code("GET", "/bucket?tagging"), "404 NoSuchTagSet");
  EXPECT_EQ(code("GET", "/nobucket?tagging"), "404 NoSuchBucket");
  send("PUT", "/bucket/key", {}, "data");
  EXPECT_NE(send("GET", "/bucket/key?tagging").body.find("<TagSet></TagSet>"), std::string::npos);
  EXPECT_EQ(code("GET", "/bucket/none?tagging"), "404 NoSuchKey");
}

TEST_F(Face, fields_that_ask_for_more_are_refused) {
  EXPECT_EQ(code("PUT", "/bucket/key", {{"x-amz-acl", "public-read"}}, "x"), "501 NotImplemented");
  EXPECT_EQ(code("PUT", "/bucket/key", {{"x-amz-server-side-encryption", "aws:kms"}}, "x"),
            "501 NotImplemented");
  EXPECT_EQ(code("PUT", "/bucket/key", {{"x-amz-server-side-encryption-customer-key", "k"}}, "x"),
            "501 NotImplemented");
  EXPECT_EQ(code("PUT", "/bucket/key", {{"x-amz-tagging", "a=b"}}, "x"), "501 NotImplemented");
  EXPECT_EQ(code("PUT", "/bucket/key", {{"x-amz-object-lock-mode", "GOVERNANCE"}}, "x"),
            "501 NotImplemented");
  EXPECT_EQ(code("PUT", "/bucket/key", {{"x-amz-storage-class", "GLACIER"}}, "x"), "400 InvalidStorageClass");
  EXPECT_EQ(code("PUT", "/bucket/key", {{"x-amz-expected-bucket-owner", "123"}}, "x"), "403 AccessDenied");
  EXPECT_EQ(code("PUT", "/bucket/key",
                 {{"x-amz-acl", "private"},
                  {"x-amz-storage-class", "STANDARD"},
                  {"x-amz-server-side-encryption", "AES256"}},
                 "x"),
            "200 ");
}

TEST_F(Face, addresses_are_checked) {
  EXPECT_EQ(code("GET", "/Bad_Bucket/key"), "400 InvalidBucketName");
  EXPECT_EQ(code("PUT", "/192.168.0.1"), "400 InvalidBucketName");
  EXPECT_EQ(code("PUT", "/ab"), "400 InvalidBucketName");
  EXPECT_EQ(code("PUT", "/bucket/" + std::string(1025, 'k'), {}, "x"), "400 KeyTooLongError");
  EXPECT_EQ(code("PUT", "/bucket/" + std::string(8192, 'k'), {}, "x"), "400 KeyTooLongError");
  std::string encoded;
  for (int i = 0; i < 4096; ++i) encoded += "%C3%A9";
  EXPECT_EQ(send("PUT", "/bucket/" + encoded, {}, "x").element("Size"), "8192");
  EXPECT_EQ(code("PUT", "/bucket/" + std::string(1024, 'k'), {}, "x"), "200 ");
  for (const char* target : {"/bucket/%zz", "/bucket/%ff", "/bucket/%00", "bucket/key"}) {
    const auto responses =
        Harness::parse(face.exchange(fmt::format("GET {} HTTP/1.1\r\nHost: h\r\n\r\n", target)));
    ASSERT_EQ(responses.size(), 1U);
    EXPECT_EQ(responses[0].element("Code"), "InvalidURI") << target;
  }
  EXPECT_EQ(send("PUT", "/bucket//a//", {}, "empty components").status, 200U);
  EXPECT_EQ(send("GET", "/bucket/%2Fa//").body, "empty components");
}

TEST_F(Face, broken_heads_are_answered_in_xml) {
  const auto responses = Harness::parse(face.exchange("GET / HTTP/1.1\r\nno colon\r\n\r\n"));
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_EQ(responses[0].element("Code"), "BadRequest");
  EXPECT_EQ(responses[0].field("connection"), "close");
}

TEST_F(Face, buckets_are_made_listed_and_removed) {
  EXPECT_EQ(code("PUT", "/bucket"), "200 ");  // the first region's rule
  EXPECT_EQ(send("HEAD", "/bucket").field("x-amz-bucket-region"), "us-east-1");
  EXPECT_EQ(send("HEAD", "/nobucket").status, 404U);
  EXPECT_EQ(send("PUT", "/another").field("location"), "/another");
  const std::string list = send("GET", "/").body;
  EXPECT_LT(list.find("<Name>another</Name><CreationDate>2013-05-24T00:00:00.000Z</CreationDate>"),
            list.find("<Name>bucket</Name>"));
  EXPECT_EQ(send("GET", "/?max-buckets=1").element("ContinuationToken"), "another");
  EXPECT_EQ(send("GET", "/?continuation-token=another&max-buckets=1").element("Name"), "bucket");
  EXPECT_NE(send("GET", "/bucket?location")
                .body.find("<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/"
                           "\"></LocationConstraint>"),
            std::string::npos);
  send("PUT", "/bucket/key", {}, "x");
  EXPECT_EQ(code("DELETE", "/bucket"), "409 BucketNotEmpty");
  EXPECT_EQ(send("DELETE", "/bucket/key").status, 204U);
  EXPECT_EQ(send("DELETE", "/bucket").status, 204U);
  EXPECT_EQ(code("DELETE", "/bucket"), "404 NoSuchBucket");
}

TEST_F(Face, buckets_have_tags) {
  const auto document = [](const std::string& tags) {
    return "<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>" + tags +
           "</TagSet></Tagging>";
  };
  const auto tag = [](const std::string& key, const std::string& value) {
    return "<Tag><Key>" + key + "</Key><Value>" + value + "</Value></Tag>";
  };
  EXPECT_EQ(code("PUT", "/bucket?tagging", {}, document(tag("a&amp;b", "1") + tag("c", ""))), "204 ");
  EXPECT_NE(
      send("GET", "/bucket?tagging").body.find("<TagSet>" + tag("a&amp;b", "1") + tag("c", "") + "</TagSet>"),
      std::string::npos);
  face.files().change_before_next();
  EXPECT_EQ(code("PUT", "/bucket?tagging", {}, document(tag("d", "2"))), "204 ")
      << "another changed it first";
  EXPECT_EQ(send("GET", "/bucket?tagging").element("Key"), "d");
  EXPECT_EQ(code("DELETE", "/bucket?tagging"), "204 ");
  EXPECT_EQ(code("GET", "/bucket?tagging"), "404 NoSuchTagSet");
  EXPECT_EQ(code("PUT", "/nobucket?tagging", {}, document(tag("a", "b"))), "404 NoSuchBucket");
  EXPECT_EQ(code("PUT", "/bucket?tagging", {}, "<Tagging></Tagging>"), "400 MalformedXML");
  EXPECT_EQ(code("PUT", "/bucket?tagging", {}, document(tag("", "b"))), "400 InvalidTag");
  EXPECT_EQ(code("PUT", "/bucket?tagging", {}, document(tag("aws:x", "b"))), "400 InvalidTag");
  EXPECT_EQ(code("PUT", "/bucket?tagging", {}, document(tag("a", "1") + tag("a", "2"))), "400 InvalidTag");
  EXPECT_EQ(code("PUT", "/bucket?tagging", {}, document(tag(std::string(129, 'k'), ""))), "400 InvalidTag");
  EXPECT_EQ(code("PUT", "/bucket?tagging", {}, document(tag("k", std::string(257, 'v')))), "400 InvalidTag");
  std::string many;
  for (int i = 0; i < 51; ++i) many += tag(std::to_string(i), "");
  EXPECT_EQ(code("PUT", "/bucket?tagging", {}, document(many)), "400 InvalidTag");
}

TEST_F(Face, location_must_be_the_region) {
  const auto document = [](const char* region) {
    return fmt::format(
        "<CreateBucketConfiguration><LocationConstraint>{}</LocationConstraint></CreateBucketConfiguration>",
        region);
  };
  EXPECT_EQ(code("PUT", "/here", {}, document("us-east-1")), "200 ");
  EXPECT_EQ(code("PUT", "/there", {}, document("eu-west-1")), "400 IllegalLocationConstraintException");
  EXPECT_EQ(code("PUT", "/there", {}, "<nonsense>"), "400 MalformedXML");
}

TEST(FaceElsewhere, own_bucket_again_is_a_conflict_and_the_region_is_told) {
  Harness face(ServiceOptions{.region = "eu-north-1", .domain = {}});
  const Response wrong = face.send({"GET", "/"});
  EXPECT_EQ(wrong.element("Code"), "AuthorizationHeaderMalformed");
  EXPECT_EQ(wrong.element("Region"), "eu-north-1");
}

TEST(FaceByHost, buckets_are_reached_by_name_below_the_domain) {
  Harness face(ServiceOptions{.region = "us-east-1", .domain = "s3.example.org"});
  EXPECT_EQ(face.send({"PUT", "/", {{"host", "my.bucket.s3.example.org:9000"}}}).status, 200U);
  EXPECT_EQ(face.send({"PUT", "/key", {{"host", "my.bucket.s3.example.org:9000"}}, "x"}).status, 200U);
  EXPECT_EQ(face.send({"GET", "/my.bucket/key", {{"host", "s3.example.org"}}}).body, "x");
  EXPECT_EQ(face.send({"GET", "/my.bucket/key", {{"host", "xs3.example.org"}}}).body, "x");
}

TEST_F(Face, objects_keep_their_headers_and_metadata) {
  const Response put = send("PUT", "/bucket/key",
                            {{"content-type", "text/plain"},
                             {"cache-control", "no-cache"},
                             {"content-disposition", "inline"},
                             {"content-encoding", "gzip"},
                             {"content-language", "de"},
                             {"expires", "Thu, 01 Dec 1994 16:00:00 GMT"},
                             {"x-amz-meta-plain", "a value"},
                             {"x-amz-meta-utf8", "\xc3\xa9\xe2\x82\xac"},
                             {"x-amz-meta-latin1", "\xe9"},
                             {"x-amz-meta-rfc2047", "=?UTF-8?B?w6k=?="},
                             {"x-amz-meta-empty", ""}},
                            "hello");
  EXPECT_EQ(put.status, 200U);
  for (const char* method : {"GET", "HEAD"}) {
    const Response got = send(method, "/bucket/key");
    EXPECT_EQ(got.status, 200U);
    EXPECT_EQ(got.field("content-length"), "5");
    EXPECT_EQ(got.field("content-type"), "text/plain");
    EXPECT_EQ(got.field("cache-control"), "no-cache");
    EXPECT_EQ(got.field("content-disposition"), "inline");
    EXPECT_EQ(got.field("content-encoding"), "gzip");
    EXPECT_EQ(got.field("content-language"), "de");
    EXPECT_EQ(got.field("expires"), "Thu, 01 Dec 1994 16:00:00 GMT");
    EXPECT_EQ(got.field("x-amz-meta-plain"), "a value");
    EXPECT_EQ(got.field("x-amz-meta-utf8"), "=?UTF-8?B?w6nigqw=?=");
    EXPECT_EQ(got.field("x-amz-meta-latin1"), "=?UTF-8?B?w6k=?=");
    EXPECT_EQ(got.field("x-amz-meta-rfc2047"), "=?UTF-8?B?w6k=?=");
    EXPECT_EQ(got.fields.count("x-amz-meta-empty"), 1U);
    EXPECT_EQ(got.field("last-modified"), "Fri, 24 May 2013 00:00:00 GMT");
    EXPECT_EQ(got.field("accept-ranges"), "bytes");
  }
  EXPECT_EQ(code("PUT", "/bucket/key", {{"x-amz-meta-a", std::string(2048, 'x')}}, "x"),
            "400 MetadataTooLarge");
}

TEST_F(Face, response_headers_may_be_overridden_but_not_injected) {
  send("PUT", "/bucket/key", {{"content-type", "text/plain"}}, "hello");
  const Response got =
      send("GET", "/bucket/key?response-content-type=a%2Fb&response-cache-control=x%0d%0aEvil:%20y");
  EXPECT_EQ(got.field("content-type"), "a/b");
  EXPECT_EQ(got.field("cache-control"), "x  Evil: y");
  EXPECT_EQ(got.fields.count("evil"), 0U);
}

TEST_F(Face, ranges) {
  std::string data(200'000, '\0');
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * 7 / 3);
  send("PUT", "/bucket/key", {}, data);
  const Response middle = send("GET", "/bucket/key", {{"range", "bytes=65000-140000"}});
  EXPECT_EQ(middle.status, 206U);
  EXPECT_EQ(middle.field("content-range"), "bytes 65000-140000/200000");
  EXPECT_EQ(middle.body, data.substr(65'000, 75'001));
  EXPECT_EQ(send("GET", "/bucket/key", {{"range", "bytes=-5"}}).body, data.substr(199'995));
  EXPECT_EQ(send("GET", "/bucket/key", {{"range", "nonsense"}}).body, data);
  const Response beyond = send("GET", "/bucket/key", {{"range", "bytes=200000-"}});
  EXPECT_EQ(beyond.status, 416U);
  EXPECT_EQ(beyond.element("Code"), "InvalidRange");
  EXPECT_EQ(beyond.element("ActualObjectSize"), "200000");
  const Response head = send("HEAD", "/bucket/key", {{"range", "bytes=0-9"}});
  EXPECT_EQ(head.status, 206U);
  EXPECT_EQ(head.field("content-length"), "10");
  EXPECT_EQ(send("GET", "/bucket/key", {{"range", "bytes=0-9"}, {"if-range", "\"other\""}}).body, data);
}

TEST_F(Face, reads_on_conditions) {
  const std::string etag = send("PUT", "/bucket/key", {}, "hello").field("etag");
  const std::string date = "Fri, 24 May 2013 00:00:00 GMT";
  EXPECT_EQ(send("GET", "/bucket/key", {{"if-match", etag}}).status, 200U);
  EXPECT_EQ(code("GET", "/bucket/key", {{"if-match", "\"x\""}}), "412 PreconditionFailed");
  const Response same = send("GET", "/bucket/key", {{"if-none-match", etag}});
  EXPECT_EQ(same.status, 304U);
  EXPECT_EQ(same.field("etag"), etag);
  EXPECT_EQ(same.fields.count("content-length"), 0U);
  EXPECT_EQ(same.body, "");
  EXPECT_EQ(send("HEAD", "/bucket/key", {{"if-modified-since", date}}).status, 304U);
  EXPECT_EQ(send("GET", "/bucket/key", {{"if-unmodified-since", "Thu, 23 May 2013 00:00:00 GMT"}}).status,
            412U);
}

TEST_F(Face, not_modified_carries_what_the_answer_would) {
  const std::map<std::string, std::string> fields = {{"cache-control", "max-age=9"},
                                                     {"expires", "Thu, 01 Dec 1994 16:00:00 GMT"},
                                                     {"content-type", "text/plain"},
                                                     {"content-language", "de"},
                                                     {"x-amz-meta-a", "b"}};
  const std::string etag = send("PUT", "/bucket/key", fields, "hello").field("etag");
  for (const char* method : {"GET", "HEAD"}) {
    const Response full = send(method, "/bucket/key?response-content-language=fr");
    const Response same = send(method, "/bucket/key?response-content-language=fr", {{"if-none-match", etag}});
    EXPECT_EQ(same.status, 304U);
    for (const char* name : {"etag", "last-modified", "cache-control", "expires", "content-type",
                             "content-language", "x-amz-meta-a", "accept-ranges"}) {
      EXPECT_EQ(same.field(name), full.field(name)) << name;
      EXPECT_NE(same.field(name), "") << name;
    }
  }
}

TEST_F(Face, writes_on_conditions) {
  EXPECT_EQ(code("PUT", "/bucket/key", {{"if-match", "*"}}, "a"), "404 NoSuchKey");
  EXPECT_EQ(code("PUT", "/bucket/key", {{"if-none-match", "*"}}, "a"), "200 ");
  EXPECT_EQ(code("PUT", "/bucket/key", {{"if-none-match", "*"}}, "b"), "412 PreconditionFailed");
  EXPECT_EQ(code("PUT", "/bucket/key", {{"if-match", "\"x\""}}, "b"), "412 PreconditionFailed");
  EXPECT_EQ(code("PUT", "/bucket/key", {{"if-match", "\"0cc175b9c0f1b6a831c399e269772661\""}}, "b"), "200 ");
  EXPECT_EQ(code("PUT", "/bucket/key", {{"if-none-match", "\"x\""}}, "c"), "501 NotImplemented");
  EXPECT_EQ(code("PUT", "/bucket/key", {{"if-match", "\"x\", \"y\""}}, "c"), "501 NotImplemented");
  EXPECT_EQ(code("PUT", "/bucket/key", {{"if-match", ""}}, "c"), "501 NotImplemented");
  EXPECT_EQ(code("PUT", "/bucket/key", {{"if-unmodified-since", "Thu, 23 May 2013 00:00:00 GMT"}}, "c"),
            "501 NotImplemented");
  EXPECT_EQ(send("GET", "/bucket/key").body, "b");
  EXPECT_EQ(code("DELETE", "/bucket/key", {{"if-match", "\"x\""}}), "412 PreconditionFailed");
  EXPECT_EQ(send("DELETE", "/bucket/key").status, 204U);
  EXPECT_EQ(send("DELETE", "/bucket/key").status, 204U);
}

TEST_F(Face, sizes_are_bounded_before_the_body) {
  const std::string head = Harness::signed_request(
      {"PUT",
       "/bucket/key",
       {{"content-length", "5368709121"}, {"x-amz-content-sha256", "UNSIGNED-PAYLOAD"}}});
  EXPECT_EQ(Harness::parse(face.exchange(head)).back().element("Code"), "EntityTooLarge");
  EXPECT_EQ(code("PUT", "/nobucket/key", {}, "x"), "404 NoSuchBucket");
}

TEST_F(Face, failures_of_the_store_have_their_codes) {
  face.files().fail_next(Errc::busy);
  const Response slow = send("PUT", "/bucket/key", {}, "x");
  EXPECT_EQ(slow.status, 503U);
  EXPECT_EQ(slow.element("Code"), "SlowDown");
  EXPECT_EQ(slow.field("retry-after"), "1");
  face.files().fail_next(Errc::no_space);
  EXPECT_EQ(code("PUT", "/bucket/key", {}, "x"), "507 InsufficientStorage");
  face.files().fail_next(Errc::corrupted);
  EXPECT_EQ(code("GET", "/bucket/key"), "500 InternalError");
}

TEST_F(Face, a_failure_is_logged_with_its_operation_id_and_whole_chain) {
  face.files().fail_next(Errc::io_error);
  ::testing::internal::CaptureStderr();
  const Response failed = send("PUT", "/bucket/key", {}, "x");
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(failed.status, 500U);
  EXPECT_NE(log.find("PutObject answered 500 InternalError: io_error: as planned"), log.npos) << log;
  EXPECT_NE(log.find("request=" + failed.field("x-amz-request-id")), log.npos) << log;
  EXPECT_EQ(failed.body.find("as planned"), std::string::npos);
}

TEST_F(Face, a_request_that_finds_no_memory_is_told_to_slow_down) {
  face.files().exhaust_next();
  EXPECT_EQ(code("PUT", "/bucket/key", {}, "x"), "503 SlowDown");
  EXPECT_EQ(code("PUT", "/bucket/key", {}, "x"), "200 ");
}

Task<> write_bytes(Socket& socket, std::string bytes) {
  co_await asio::async_write(socket, asio::buffer(bytes), use_task);
}

/// What comes until the other end closes.
Task<> read_bytes(Socket& socket, std::string& all) {
  for (std::string piece(65536, '\0');;) {
    const auto [error, count] =
        co_await socket.async_read_some(asio::buffer(piece), asio::as_tuple(use_task));
    if (error) co_return;
    all.append(piece, 0, count);
  }
}

TEST_F(Face, a_reader_that_pauses_holds_no_memory) {
  std::string data(3'000'000, '\0');
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * 11 / 7);
  send("PUT", "/bucket/key", {}, data);
  auto [server, client] = face.connect();
  face.core().adopt(std::move(server), HttpCore::Admission::served, [] {});
  face.loop().get(
      write_bytes(client, Harness::signed_request({"GET", "/bucket/key", {{"connection", "close"}}})));
  face.loop().run_for(std::chrono::seconds(1));
  EXPECT_EQ(face.memory().held(), 0U);
  std::string all;
  face.loop().get(read_bytes(client, all));
  EXPECT_EQ(all.size() - all.find("\r\n\r\n") - 4, data.size());
  EXPECT_TRUE(all.ends_with(data));
  EXPECT_EQ(face.memory().held(), 0U);
}

TEST_F(Face, documents_wait_for_memory_of_their_own_and_are_then_refused) {
  const auto taken = face.memory().try_acquire(MemoryUse::document, 32_MiB);
  EXPECT_EQ(code("GET", "/bucket"), "503 SlowDown");
  EXPECT_EQ(code("POST", "/bucket?delete", {}, "<Delete/>"), "503 SlowDown");
  EXPECT_EQ(code("PUT", "/bucket/key", {}, "x"), "200 ");
  EXPECT_EQ(send("GET", "/bucket/key").body, "x");
}

TEST_F(Face, every_request_has_a_line_in_the_access_log) {
  face.access_lines().clear();
  const Response put = send("PUT", "/bucket/secret-name", {}, "hello");
  const Response got = send("GET", "/bucket/secret-name");
  send("GET", "/bucket/none");
  face.exchange("GET /bucket/key HTTP/1.1\r\nHost: h\r\n\r\n");
  face.exchange("nonsense\r\n\r\n");
  const auto& lines = face.access_lines();
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_EQ(lines[0], fmt::format(R"({{"time":"2013-05-24T00:00:00.000Z","request":"{}",)"
                                  R"("key":"AKIAIOSFODNN7EXAMPLE","operation":"PutObject","bucket":"bucket",)"
                                  R"("status":200,"bytes_in":5,"bytes_out":0,"first_byte_us":0,)"
                                  R"("last_byte_us":0}})"
                                  "\n",
                                  put.field("x-amz-request-id")));
  EXPECT_NE(lines[1].find(R"("operation":"GetObject","bucket":"bucket","status":200,"bytes_in":0,)"
                          R"("bytes_out":5)"),
            std::string::npos)
      << lines[1];
  EXPECT_NE(lines[2].find(R"("status":404)"), std::string::npos) << lines[2];
  EXPECT_NE(lines[3].find(R"("key":"","operation":"GetObject","bucket":"bucket","status":403)"),
            std::string::npos)
      << lines[3];
  EXPECT_NE(lines[4].find(R"("key":"","operation":"","bucket":"","status":400)"), std::string::npos)
      << lines[4];
  for (const std::string& line : lines) EXPECT_EQ(line.find("secret-name"), std::string::npos);
}

TEST_F(Face, preflights_and_forms_have_an_answer_of_their_own) {
  const auto first_code = [this](const std::string& text) {
    const auto responses = Harness::parse(face.exchange(text));
    return responses.empty() ? std::string() : responses[0].element("Code");
  };
  EXPECT_EQ(first_code("OPTIONS /bucket/key HTTP/1.1\r\nHost: h\r\nOrigin: http://o\r\n"
                       "Access-Control-Request-Method: PUT\r\n\r\n"),
            "AccessForbidden");
  EXPECT_EQ(first_code("POST /bucket HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n"
                       "Content-Type: multipart/form-data; boundary=b\r\n\r\n"),
            "NotImplemented");
}

TEST_F(Face, a_damaged_object_is_an_error_or_a_cut_never_wrong_bytes) {
  send("PUT", "/bucket/key", {}, std::string(200'000, 'x'));
  face.files().fail_reads_at(0);
  EXPECT_EQ(code("GET", "/bucket/key"), "500 InternalError");
  face.files().fail_reads_at(131'072);
  const std::string cut = face.exchange(Harness::signed_request({"GET", "/bucket/key"}));
  EXPECT_NE(cut.find("Content-Length: 200000"), cut.npos);
  EXPECT_LT(cut.size(), 132'000U);
}

TEST_F(Face, many_objects_are_deleted_at_once) {
  for (const char* key : {"a", "b%26", "c"}) send("PUT", std::string("/bucket/") + key, {}, "x");
  const std::string document =
      "<Delete><Object><Key>a</Key></Object><Object><Key>b&amp;</Key></Object><Object><Key>absent</Key></"
      "Object>"
      "<Object><Key>c</Key><VersionId>7</VersionId></Object></Delete>";
  const Response done = erase(document);
  EXPECT_EQ(done.status, 200U);
  EXPECT_NE(done.body.find(
                "<Deleted><Key>a</Key></Deleted><Deleted><Key>b&amp;</Key></Deleted><Deleted><Key>absent</"
                "Key></Deleted><Error><Key>c</Key><VersionId>7</VersionId><Code>NoSuchVersion</Code>"),
            std::string::npos)
      << done.body;
  EXPECT_EQ(send("HEAD", "/bucket/a").status, 404U);
  EXPECT_EQ(send("HEAD", "/bucket/c").status, 200U);
  const Response quiet = erase("<Delete><Quiet>true</Quiet><Object><Key>c</Key></Object></Delete>");
  EXPECT_EQ(quiet.body.find("<Deleted>"), std::string::npos);
  EXPECT_EQ(send("HEAD", "/bucket/c").status, 404U);
}

TEST_F(Face, many_deletions_need_a_digest) {
  send("PUT", "/bucket/a", {}, "x");
  const std::string document = "<Delete><Object><Key>a</Key></Object></Delete>";
  EXPECT_EQ(code("POST", "/bucket?delete", {}, document), "400 InvalidRequest");
  EXPECT_EQ(send("HEAD", "/bucket/a").status, 200U);
  Checksum crc(ChecksumAlgorithm::crc32);
  crc.update(as_view(document));
  EXPECT_EQ(send("POST", "/bucket?delete", {{"x-amz-checksum-crc32", crc.finish()}}, document).status, 200U);
  EXPECT_EQ(send("HEAD", "/bucket/a").status, 404U);
}

TEST_F(Face, copies) {
  send("PUT", "/bucket/from%20x", {{"content-type", "text/plain"}, {"x-amz-meta-a", "b"}}, "hello");
  const Response copied = send("PUT", "/bucket/to", {{"x-amz-copy-source", "/bucket/from%20x"}});
  EXPECT_EQ(copied.status, 200U);
  EXPECT_EQ(copied.element("ETag"), "&quot;5d41402abc4b2a76b9719d911017c592&quot;");
  EXPECT_EQ(send("GET", "/bucket/to").field("x-amz-meta-a"), "b");
  EXPECT_EQ(send("PUT", "/bucket/to",
                 {{"x-amz-copy-source", "bucket/from%20x?versionId=null"},
                  {"x-amz-metadata-directive", "REPLACE"},
                  {"x-amz-meta-c", "d"}})
                .status,
            200U);
  const Response replaced = send("GET", "/bucket/to");
  EXPECT_EQ(replaced.field("x-amz-meta-c"), "d");
  EXPECT_EQ(replaced.fields.count("x-amz-meta-a"), 0U);
  EXPECT_EQ(replaced.field("etag"), "\"5d41402abc4b2a76b9719d911017c592\"");
  EXPECT_EQ(replaced.body, "hello");
}

TEST_F(Face, copies_that_make_no_sense_are_refused) {
  const std::string etag = send("PUT", "/bucket/key", {}, "hello").field("etag");
  const auto copy = [this](std::map<std::string, std::string> fields, const char* target = "/bucket/to") {
    return code("PUT", target, std::move(fields));
  };
  EXPECT_EQ(copy({{"x-amz-copy-source", "/bucket/key"}}, "/bucket/key"), "400 InvalidRequest");
  EXPECT_EQ(
      copy({{"x-amz-copy-source", "/bucket/key"}, {"x-amz-metadata-directive", "REPLACE"}}, "/bucket/key"),
      "200 ");
  EXPECT_EQ(copy({{"x-amz-copy-source", "/bucket/key"}, {"x-amz-metadata-directive", "NONE"}}),
            "400 InvalidArgument");
  EXPECT_EQ(copy({{"x-amz-copy-source", "/bucket"}}), "400 InvalidArgument");
  EXPECT_EQ(copy({{"x-amz-copy-source", "/bucket/%zz"}}), "400 InvalidArgument");
  EXPECT_EQ(copy({{"x-amz-copy-source", "/bucket/none"}}), "404 NoSuchKey");
  EXPECT_EQ(copy({{"x-amz-copy-source", "/nobucket/none"}}), "404 NoSuchBucket");
  EXPECT_EQ(copy({{"x-amz-copy-source", "/bucket/key?versionId=3"}}), "404 NoSuchVersion");
  EXPECT_EQ(copy({{"x-amz-copy-source", "/bucket/key"}, {"x-amz-copy-source-if-match", "\"x\""}}),
            "412 PreconditionFailed");
  EXPECT_EQ(copy({{"x-amz-copy-source", "/bucket/key"}, {"x-amz-copy-source-if-none-match", etag}}),
            "412 PreconditionFailed");
  EXPECT_EQ(copy({{"x-amz-copy-source", "/bucket/key"}, {"x-amz-copy-source-if-match", etag}}), "200 ");
  EXPECT_EQ(copy({{"x-amz-copy-source", "/bucket/key"}, {"if-none-match", "*"}}), "412 PreconditionFailed");
}

TEST_F(Face, a_copy_whose_source_is_replaced_before_its_commit_is_judged_again) {
  const std::string etag = send("PUT", "/bucket/key", {}, "data").field("etag");
  const auto copy = [this](std::map<std::string, std::string> fields) {
    send("PUT", "/bucket/key", {}, "data");
    face.files().replace_before_next_copy("key");
    fields["x-amz-copy-source"] = "bucket/key";
    const Response copied = send("PUT", "/bucket/to", std::move(fields));
    return copied.status == 200 ? copied.element("ETag") : copied.element("Code");
  };
  EXPECT_EQ(copy({}), "&quot;replaced&quot;");
  EXPECT_EQ(copy({{"x-amz-metadata-directive", "REPLACE"}}), "&quot;replaced&quot;");
  EXPECT_EQ(copy({{"x-amz-copy-source-if-none-match", "\"x\""}}), "&quot;replaced&quot;");
  EXPECT_EQ(copy({{"x-amz-copy-source-if-match", etag}}), "PreconditionFailed");
}

}  // namespace
}  // namespace kiseki::s3
