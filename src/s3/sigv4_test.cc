#include "s3/sigv4.h"

#include <gtest/gtest.h>

#include "base/logging.h"
#include "s3/authenticator.h"
#include "s3/http_parser.h"
#include "s3/testing/harness.h"
#include "s3/time_format.h"

// The examples of the S3 API reference: "Signature Calculations for the Authorization Header: Transferring
// Payload in a Single Chunk", "… in Multiple Chunks", "Using Query Parameters" and "Trailing headers".

namespace kiseki::s3 {
namespace {

using testing::example_key;
using testing::example_secret;
using testing::example_time;

/// Authenticates one request at the examples' moment, or `offset` seconds from it.
S3Result<std::optional<Identity>> authenticate(const std::string& text, std::int64_t offset = 0) {
  sim::SimulatedLoop loop;
  sim::SimulatedClock clock(loop);
  clock.set_wall_offset(std::chrono::seconds(example_time + offset - unix_seconds(clock.wall())));
  testing::FixedCredentials credentials;
  Authenticator authenticator(credentials, clock, {});
  HttpHead head;
  EXPECT_EQ(parse_head(as_view(text), head), HeadFault::none);
  const auto target = parse_target(head.target());
  return loop.get(authenticator.authenticate(head, target->path, target->query));
}

std::string request(const std::string& line, const std::string& fields, const std::string& headers,
                    const std::string& signature,
                    const std::string& scope = "20130524/us-east-1/s3/aws4_request") {
  return fmt::format(
      "{} HTTP/1.1\r\nHost: examplebucket.s3.amazonaws.com\r\n{}Authorization: AWS4-HMAC-SHA256 "
      "Credential={}/{},SignedHeaders={},Signature={}\r\n\r\n",
      line, fields, example_key, scope, headers, signature);
}

const std::string common_fields =
    "x-amz-date: 20130524T000000Z\r\nx-amz-content-sha256: " + std::string(empty_sha256) + "\r\n";
const std::string get_signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";

std::string get_object(const std::string& extra = "") {
  return request("GET /test.txt", "Range: bytes=0-9\r\n" + common_fields + extra,
                 "host;range;x-amz-content-sha256;x-amz-date", get_signature);
}

TEST(SigV4, accepts_the_documented_get) {
  const auto identity = authenticate(get_object());
  ASSERT_TRUE(identity);
  ASSERT_TRUE(*identity);
  EXPECT_EQ((*identity)->key.id, example_key);
  EXPECT_EQ((*identity)->payload, PayloadForm::signed_hash);
}

TEST(SigV4, accepts_the_documented_put_of_a_name_with_a_dollar) {
  const std::string fields =
      "Date: Fri, 24 May 2013 00:00:00 GMT\r\nx-amz-date: 20130524T000000Z\r\n"
      "x-amz-storage-class: REDUCED_REDUNDANCY\r\n"
      "x-amz-content-sha256: 44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072\r\n"
      "Content-Length: 21\r\n";
  const std::string names = "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class";
  const std::string signature = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd";
  EXPECT_TRUE(authenticate(request("PUT /test$file.text", fields, names, signature)));
  EXPECT_TRUE(authenticate(request("PUT /test%24file.text", fields, names, signature)));
}

TEST(SigV4, accepts_a_path_signed_as_it_was_sent) {
  HttpHead head;
  const std::string text = "GET /b/a+(c) HTTP/1.1\r\nHost: h\r\nx-amz-date: 20130524T000000Z\r\n";
  ASSERT_EQ(parse_head(as_view(text + "\r\n"), head), HeadFault::none);
  SignatureClaim claim;
  claim.scope = {example_key, "20130524", "us-east-1"};
  claim.signed_headers = {"host", "x-amz-date"};
  claim.timestamp = "20130524T000000Z";
  claim.payload_hash = empty_sha256;
  const SigningKey key(example_secret, "20130524", "us-east-1");
  const auto authorized = [&](const std::string& path) {
    const std::string signature =
        key.sign(string_to_sign(claim, canonical_request(head, path, Query(), claim)));
    return text +
           fmt::format(
               "Authorization: AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders=host;x-amz-date, Signature={}"
               "\r\n\r\n",
               example_key, claim.scope.to_string(), signature);
  };
  EXPECT_TRUE(authenticate(authorized("/b/a+(c)")));
  EXPECT_TRUE(authenticate(authorized("/b/a%2B%28c%29")));
  EXPECT_FALSE(authenticate(authorized("/b/a%20(c)")));
}

TEST(SigV4, accepts_the_documented_queries) {
  const std::string names = "host;x-amz-content-sha256;x-amz-date";
  EXPECT_TRUE(authenticate(request("GET /?lifecycle", common_fields, names,
                                   "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")));
  for (const char* line :
       {"GET /?max-keys=2&prefix=J", "GET /?prefix=J&max-keys=2", "GET /?&prefix=%4A&max-keys=2"}) {
    EXPECT_TRUE(authenticate(request(line, common_fields, names,
                                     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")))
        << line;
  }
}

const std::string presigned_target =
    "GET "
    "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%"
    "2Fs3%"
    "2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
    "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404 HTTP/1.1\r\nHost: "
    "examplebucket.s3.amazonaws.com\r\n";

TEST(SigV4, accepts_the_documented_presigned_request_until_it_expires) {
  const auto identity = authenticate(presigned_target + "\r\n");
  ASSERT_TRUE(identity && *identity);
  EXPECT_EQ((*identity)->payload, PayloadForm::unsigned_payload);
  EXPECT_TRUE(authenticate(presigned_target + "\r\n", 86400));
  const auto expired = authenticate(presigned_target + "\r\n", 86401);
  ASSERT_FALSE(expired);
  EXPECT_EQ(expired.error().code, S3Code::access_denied);
  EXPECT_FALSE(authenticate(presigned_target + "\r\n", -960));
}

TEST(SigV4, presigned_requests_take_no_unsigned_amz_field) {
  const auto refused = authenticate(presigned_target + "x-amz-acl: public-read\r\n\r\n");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, S3Code::access_denied);
}

TEST(SigV4, presigned_requests_hold_for_a_week_at_most) {
  const auto code_of = [](std::string_view seconds) {
    std::string target = presigned_target;
    target.replace(target.find("86400"), 5, seconds);
    const auto refused = authenticate(target + "\r\n");
    return refused ? S3Code::internal_error : refused.error().code;
  };
  EXPECT_EQ(code_of("604800"), S3Code::signature_does_not_match);
  for (const char* seconds : {"604801", "-1", "", "1s", "99999999999999999999"}) {
    EXPECT_EQ(code_of(seconds), S3Code::authorization_query_parameters_error) << seconds;
  }
}

/// One access key whose secret may be changed.
class ChangingCredentials final : public Credentials {
 public:
  Task<Result<fs::Credential>> find(std::string access_key) override {
    co_return fs::Credential{{access_key, TenantId(1), 0, true}, crypto::SecretText(secret)};
  }
  std::string secret = "first";
};

/// Signed at the beginning of a day.
std::string get_of_day(const std::string& date, const std::string& secret) {
  const std::string text = fmt::format("GET / HTTP/1.1\r\nHost: h\r\nx-amz-date: {}T000000Z\r\n", date);
  HttpHead head;
  EXPECT_EQ(parse_head(as_view(text + "\r\n"), head), HeadFault::none);
  SignatureClaim claim;
  claim.scope = {example_key, date, "us-east-1"};
  claim.signed_headers = {"host", "x-amz-date"};
  claim.timestamp = date + "T000000Z";
  claim.payload_hash = empty_sha256;
  const SigningKey key(secret, date, "us-east-1");
  const std::string signature = key.sign(string_to_sign(claim, canonical_request(head, "/", Query(), claim)));
  return text + fmt::format(
                    "Authorization: AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders=host;x-amz-date, "
                    "Signature={}\r\n\r\n",
                    example_key, claim.scope.to_string(), signature);
}

TEST(SigV4, a_key_that_was_made_counts_for_its_day_and_secret_alone) {
  sim::SimulatedLoop loop;
  sim::SimulatedClock clock(loop);
  ChangingCredentials credentials;
  Authenticator authenticator(credentials, clock, {});
  const auto accepts = [&](int day, const std::string& secret) {
    clock.set_wall_offset({});
    clock.set_wall_offset(std::chrono::seconds(example_time + 86'400 * day - unix_seconds(clock.wall())));
    HttpHead head;
    const std::string text = get_of_day(fmt::format("201305{}", 24 + day), secret);
    EXPECT_EQ(parse_head(as_view(text), head), HeadFault::none);
    return loop.get(authenticator.authenticate(head, "/", Query())).has_value();
  };
  EXPECT_TRUE(accepts(0, "first"));
  EXPECT_TRUE(accepts(1, "first"));
  credentials.secret = "second";
  EXPECT_FALSE(accepts(1, "first"));
  EXPECT_TRUE(accepts(1, "second"));
  EXPECT_FALSE(accepts(1, "first"));
}

TEST(SigV4, nothing_is_anonymous) {
  const auto identity = authenticate("GET /test.txt HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(identity);
  EXPECT_FALSE(*identity);
}

TEST(SigV4, any_change_breaks_the_signature) {
  const std::string good = get_object();
  const std::pair<const char*, const char*> changes[] = {
      {"GET /", "PUT /"},     {"test.txt", "test.txT"},        {"bytes=0-9", "bytes=0-8"},
      {"examplebucket", "x"}, {"x-amz-date;", "x-amz-date;;"}, {"6bdb41", "6bdb42"}};
  for (const auto& [from, to] : changes) {
    std::string bad = good;
    const std::size_t at = bad.find(from);
    if (at == bad.npos) continue;
    bad.replace(at, std::string_view(from).size(), to);
    const auto refused = authenticate(bad);
    ASSERT_FALSE(refused) << from;
    EXPECT_EQ(refused.error().code, S3Code::signature_does_not_match) << from;
  }
}

TEST(SigV4, mismatch_says_what_was_expected_to_be_signed) {
  std::string bad = get_object();
  bad.replace(bad.find("6bdb41"), 6, "6bdb42");
  const auto refused = authenticate(bad);
  ASSERT_FALSE(refused);
  const auto& details = refused.error().details;
  ASSERT_EQ(details.size(), 4U);
  EXPECT_EQ(details[1].second,
            "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n"
            "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972");
  EXPECT_TRUE(details[3].second.starts_with(
      "GET\n/test.txt\n\nhost:examplebucket.s3.amazonaws.com\nrange:bytes=0-9\n"));
}

TEST(SigV4, every_amz_field_must_be_signed) {
  const auto refused = authenticate(get_object("x-amz-meta-a: b\r\n"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, S3Code::access_denied);
  EXPECT_EQ(refused.error().details[0].second, "x-amz-meta-a");
}

TEST(SigV4, blanks_in_fields_are_folded) {
  HttpHead head;
  const std::string text =
      "GET /p HTTP/1.1\r\nHost: h\r\nX-Amz-Meta-A:   a \t b  \r\nx-amz-meta-a: c\r\n\r\n";
  ASSERT_EQ(parse_head(as_view(text), head), HeadFault::none);
  SignatureClaim claim;
  claim.signed_headers = {"host", "x-amz-meta-a"};
  claim.payload_hash = "UNSIGNED-PAYLOAD";
  EXPECT_EQ(canonical_request(head, canonical_path("/a b/~\xc3\xa9"), Query(), claim),
            "GET\n/a%20b/~%C3%A9\n\nhost:h\nx-amz-meta-a:a b,c\n\nhost;x-amz-meta-a\nUNSIGNED-PAYLOAD");
}

TEST(SigV4, queries_sort_by_name_before_value_and_keep_duplicates) {
  HttpHead head;
  ASSERT_EQ(parse_head(as_view("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), head), HeadFault::none);
  SignatureClaim claim;
  claim.signed_headers = {"host"};
  const auto query = Query::parse("a-b=1&a=2&a=1&flag&x=a+b%2B");
  ASSERT_TRUE(query);
  const std::string canonical = canonical_request(head, "/", *query, claim);
  EXPECT_NE(canonical.find("\na=1&a=2&a-b=1&flag=&x=a%20b%2B\n"), canonical.npos) << canonical;
}

TEST(SigV4, wrong_region_is_named) {
  const auto refused = authenticate(request("GET /", common_fields, "host;x-amz-content-sha256;x-amz-date",
                                            "00", "20130524/eu-west-1/s3/aws4_request"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, S3Code::authorization_header_malformed);
  EXPECT_EQ(refused.error().details[0], (std::pair<std::string, std::string>("Region", "us-east-1")));
}

TEST(SigV4, clocks_may_differ_by_a_quarter_of_an_hour) {
  EXPECT_TRUE(authenticate(get_object(), 900));
  EXPECT_TRUE(authenticate(get_object(), -900));
  for (const std::int64_t offset : {901, -901}) {
    const auto refused = authenticate(get_object(), offset);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, S3Code::request_time_too_skewed);
  }
}

TEST(SigV4, malformed_claims_have_precise_codes) {
  const auto code = [](const std::string& line, const std::string& fields) {
    const auto refused = authenticate(line + " HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n");
    return refused ? S3Code::internal_error : refused.error().code;
  };
  const std::string scope = "AK/20130524/us-east-1/s3/aws4_request";
  EXPECT_EQ(code("GET /", "Authorization: AWS AK:sig\r\n"), S3Code::invalid_argument);
  EXPECT_EQ(code("GET /?Signature=a&AWSAccessKeyId=b", ""), S3Code::access_denied);
  EXPECT_EQ(code("GET /", "Authorization: AWS4-HMAC-SHA256 nonsense\r\n"),
            S3Code::authorization_header_malformed);
  EXPECT_EQ(code("GET /", "Authorization: AWS4-HMAC-SHA256 Credential=a/b,SignedHeaders=h,Signature=s\r\n"),
            S3Code::authorization_header_malformed);
  EXPECT_EQ(code("GET /",
                 "Authorization: AWS4-HMAC-SHA256 Credential=" + scope + ",SignedHeaders=h,Signature=s\r\n"),
            S3Code::access_denied);
  EXPECT_EQ(code("GET /", "x-amz-date: 20130525T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 Credential=" +
                              scope + ",SignedHeaders=h,Signature=s\r\n"),
            S3Code::authorization_header_malformed);
  EXPECT_EQ(code("GET /?X-Amz-Signature=a", ""), S3Code::authorization_query_parameters_error);
  EXPECT_EQ(code("GET /?X-Amz-Signature=a", "Authorization: AWS4-HMAC-SHA256 x\r\n"),
            S3Code::invalid_argument);
  EXPECT_EQ(code("GET /", common_fields + "Authorization: AWS4-HMAC-SHA256 Credential=" + scope +
                              ",SignedHeaders=host;x-amz-date;x-amz-content-sha256,Signature=s\r\n"),
            S3Code::invalid_access_key_id);
}

TEST(SigV4, payload_forms_are_told_apart) {
  EXPECT_EQ(payload_form("STREAMING-UNSIGNED-PAYLOAD-TRAILER"), PayloadForm::stream_unsigned_trailer);
  EXPECT_EQ(payload_form("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD").error().code, S3Code::not_implemented);
  EXPECT_EQ(payload_form("abc").error().code, S3Code::invalid_argument);
}

TEST(ChunkSigner, makes_the_documented_chain) {
  SignatureClaim claim;
  claim.timestamp = "20130524T000000Z";
  claim.scope = {example_key, "20130524", "us-east-1"};
  claim.signature = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
  ChunkSigner signer(SigningKey(example_secret, "20130524", "us-east-1"), claim);
  EXPECT_EQ(signer.sign_chunk(crypto::sha256(as_view(std::string(65536, 'a')))),
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648");
  EXPECT_EQ(signer.sign_chunk(crypto::sha256(as_view(std::string(1024, 'a')))),
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497");
  EXPECT_EQ(signer.sign_chunk(crypto::sha256({})),
            "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9");
}

TEST(ChunkSigner, makes_the_documented_trailer) {
  SignatureClaim claim;
  claim.timestamp = "20130524T000000Z";
  claim.scope = {example_key, "20130524", "us-east-1"};
  claim.signature = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
  ChunkSigner signer(SigningKey(example_secret, "20130524", "us-east-1"), claim);
  EXPECT_EQ(signer.sign_chunk(crypto::sha256(as_view(std::string(65536, 'a')))),
            "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2");
  EXPECT_EQ(signer.sign_chunk(crypto::sha256(as_view(std::string(1024, 'a')))),
            "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7");
  EXPECT_EQ(signer.sign_chunk(crypto::sha256({})),
            "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992");
  EXPECT_EQ(signer.sign_trailer("x-amz-checksum-crc32c:sOO8/Q==\n"),
            "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435");
}

}  // namespace
}  // namespace kiseki::s3
