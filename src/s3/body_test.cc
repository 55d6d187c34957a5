#include "s3/body.h"

#include <gtest/gtest.h>

#include "s3/testing/harness.h"

// What is uploaded, through the whole face: decoded, and refused when any word of its sender does not hold.

namespace kiseki::s3 {
namespace {

using testing::Harness;
using testing::Request;
using testing::Response;

constexpr const char* signed_stream = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
constexpr const char* signed_trailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
constexpr const char* unsigned_trailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

struct Bodies : ::testing::Test {
  Harness face;

  void SetUp() override { ASSERT_EQ(face.send({"PUT", "/bucket"}).status, 200U); }

  Response put(std::map<std::string, std::string> fields, std::string body) {
    return face.send({"PUT", "/bucket/key", std::move(fields), std::move(body)});
  }
  std::string get() { return face.send({"GET", "/bucket/key"}).body; }

  /// Frames `chunks` with true signatures, and a signed trailer if one is given; `from` then becomes `to`.
  Response put_signed_chunks(const std::vector<std::string>& chunks, std::string_view from = "",
                             std::string_view to = "", const std::string& trailer = "") {
    std::size_t length = 0;
    for (const std::string& chunk : chunks) length += chunk.size();
    // The framing is as long with one signature as with another.
    const auto frame = [&](const std::function<std::string(const std::string&)>& sign,
                           const std::function<std::string()>& sign_trailer) {
      std::string framed;
      for (const std::string& chunk : chunks) {
        framed += fmt::format("{:x};chunk-signature={}\r\n{}\r\n", chunk.size(), sign(chunk), chunk);
      }
      framed += fmt::format("0;chunk-signature={}\r\n", sign(""));
      if (!trailer.empty())
        framed += fmt::format("{}\r\nx-amz-trailer-signature:{}\r\n", trailer, sign_trailer());
      return framed + "\r\n";
    };
    Request request{"PUT",
                    "/bucket/key",
                    {{"x-amz-content-sha256", trailer.empty() ? signed_stream : signed_trailer},
                     {"x-amz-decoded-content-length", fmt::format("{}", length)},
                     {"content-encoding", "aws-chunked,gzip"}}};
    if (!trailer.empty()) request.fields["x-amz-trailer"] = trailer.substr(0, trailer.find(':'));
    const std::string zeros(64, '0');
    request.body = frame([&](const std::string&) { return zeros; }, [&] { return zeros; });
    std::string text = Harness::signed_request(request);
    const std::size_t body = text.size() - request.body.size();
    SignatureClaim claim;
    claim.timestamp = "20130524T000000Z";
    claim.scope = {testing::example_key, "20130524", "us-east-1"};
    claim.signature = text.substr(text.find("Signature=") + 10, 64);
    ChunkSigner signer(SigningKey(testing::example_secret, "20130524", "us-east-1"), claim);
    text.replace(
        body, text.npos,
        frame([&](const std::string& data) { return signer.sign_chunk(crypto::sha256(as_view(data))); },
              [&] { return signer.sign_trailer(trailer + "\n"); }));
    if (!from.empty()) text.replace(text.find(from, body), from.size(), to);
    auto responses = Harness::parse(face.exchange(text));
    return responses.empty() ? Response{} : responses.back();
  }
};

TEST_F(Bodies, etag_is_md5) {
  const Response response = put({}, "hello");
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.field("etag"), "\"5d41402abc4b2a76b9719d911017c592\"");
  EXPECT_EQ(get(), "hello");
}

TEST_F(Bodies, body_of_another_hash_is_refused) {
  const Response response =
      put({{"x-amz-content-sha256", to_hex(crypto::sha256(as_view("other")))}}, "hello");
  EXPECT_EQ(response.status, 400U);
  EXPECT_EQ(response.element("Code"), "XAmzContentSHA256Mismatch");
  EXPECT_EQ(face.send({"HEAD", "/bucket/key"}).status, 404U);
}

TEST_F(Bodies, content_md5_is_checked) {
  EXPECT_EQ(put({{"content-md5", "XUFAKrxLKna5cZ2REBfFkg=="}}, "hello").status, 200U);
  EXPECT_EQ(put({{"content-md5", "XUFAKrxLKna5cZ2REBfFkA=="}}, "hello").element("Code"), "BadDigest");
  EXPECT_EQ(put({{"content-md5", "nonsense"}}, "hello").element("Code"), "InvalidDigest");
  EXPECT_EQ(put({{"content-md5", ""}}, "hello").element("Code"), "InvalidDigest");
}

TEST_F(Bodies, checksums_are_checked_kept_and_given_back) {
  const std::pair<std::string, std::string> known[] = {
      {"crc32", "NhCmhg=="},
      {"crc32c", "mnG7TA=="},
      {"sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="},
      {"sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="}};
  for (const auto& [name, value] : known) {
    const std::string field = "x-amz-checksum-" + name;
    const Response stored = put({{field, value}}, "hello");
    EXPECT_EQ(stored.status, 200U) << name << stored.body;
    EXPECT_EQ(stored.field(field), value);
    const Response read = face.send({"HEAD", "/bucket/key", {{"x-amz-checksum-mode", "ENABLED"}}});
    EXPECT_EQ(read.field(field), value);
    EXPECT_EQ(face.send({"HEAD", "/bucket/key"}).field(field), "");
    EXPECT_EQ(put({{field, value}}, "hellO").element("Code"), "BadDigest") << name;
    EXPECT_EQ(put({{field, "AA=="}}, "hello").element("Code"), "InvalidRequest") << name;
  }
  EXPECT_EQ(
      put({{"x-amz-checksum-crc32", "NhCmhg=="}, {"x-amz-checksum-sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="}},
          "hello")
          .element("Code"),
      "InvalidRequest");
  EXPECT_EQ(put({{"x-amz-sdk-checksum-algorithm", "CRC32"}}, "hello").element("Code"), "InvalidRequest");
}

TEST_F(Bodies, unsigned_chunks_with_a_trailer) {
  const std::map<std::string, std::string> fields = {{"x-amz-content-sha256", unsigned_trailer},
                                                     {"x-amz-decoded-content-length", "5"},
                                                     {"x-amz-trailer", "x-amz-checksum-crc32"},
                                                     {"content-encoding", "aws-chunked"}};
  EXPECT_EQ(put(fields, "3\r\nhel\r\n2\r\nlo\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n").status, 200U);
  EXPECT_EQ(get(), "hello");
  EXPECT_EQ(face.send({"HEAD", "/bucket/key"}).field("content-encoding"), "");
  EXPECT_EQ(put(fields, "5\r\nhellO\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n").element("Code"),
            "BadDigest");
  EXPECT_EQ(put(fields, "5\r\nhello\r\n0\r\n\r\n").element("Code"), "MalformedTrailerError");
  EXPECT_EQ(put(fields, "5\r\nhello\r\n0\r\nx-amz-checksum-sha1:NhCmhg==\r\n\r\n").element("Code"),
            "MalformedTrailerError");
}

TEST_F(Bodies, decoded_length_is_enforced) {
  std::map<std::string, std::string> fields = {{"x-amz-content-sha256", unsigned_trailer},
                                               {"x-amz-decoded-content-length", "5"}};
  for (const char* body :
       {"4\r\nhell\r\n0\r\n\r\n", "6\r\nhello!\r\n0\r\n\r\n", "5\r\nhello", "5\r\nhelloo\r\n0\r\n\r\n",
        "zz\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\nmore"}) {
    EXPECT_EQ(put(fields, body).element("Code"), "IncompleteBody") << body;
  }
  EXPECT_EQ(put(fields, "5\r\nhello\r\n0\r\n\r\n").status, 200U);
  fields.erase("x-amz-decoded-content-length");
  EXPECT_EQ(put(fields, "5\r\nhello\r\n0\r\n\r\n").element("Code"), "MissingContentLength");
}

TEST_F(Bodies, signed_chunks) {
  const std::vector<std::string> chunks = {std::string(65536, 'a'), std::string(1024, 'b'), "c"};
  EXPECT_EQ(put_signed_chunks(chunks).status, 200U);
  EXPECT_EQ(get(), chunks[0] + chunks[1] + chunks[2]);
  EXPECT_EQ(face.send({"HEAD", "/bucket/key"}).field("content-encoding"), "gzip");
  EXPECT_EQ(put_signed_chunks({}).status, 200U);
  EXPECT_EQ(get(), "");
}

TEST_F(Bodies, a_changed_chunk_is_refused) {
  EXPECT_EQ(put_signed_chunks({"hello", "world"}, "world", "w0rld").element("Code"), "SignatureDoesNotMatch");
  EXPECT_EQ(put_signed_chunks({"hello"}, "chunk-signature", "chunk-signaturf").element("Code"),
            "SignatureDoesNotMatch");
  EXPECT_EQ(put_signed_chunks({"hello"}, "0;chunk", "0;kunch").element("Code"), "SignatureDoesNotMatch");
  EXPECT_EQ(face.send({"HEAD", "/bucket/key"}).status, 404U);
}

TEST_F(Bodies, signed_chunks_with_a_signed_trailer) {
  const std::string trailer = "x-amz-checksum-crc32:NhCmhg==";
  const Response stored = put_signed_chunks({"he", "llo"}, "", "", trailer);
  EXPECT_EQ(stored.status, 200U) << stored.body;
  EXPECT_EQ(stored.field("x-amz-checksum-crc32"), "NhCmhg==");
  EXPECT_EQ(get(), "hello");
  EXPECT_EQ(put_signed_chunks({"hello"}, "NhCmhg", "NhCmhh", trailer).element("Code"),
            "SignatureDoesNotMatch");
  EXPECT_EQ(put_signed_chunks({"hello"}, "trailer-signature:", "trailer-signatur_:", trailer).element("Code"),
            "MalformedTrailerError");
  EXPECT_EQ(put_signed_chunks({"hellO"}, "", "", trailer).element("Code"), "BadDigest");
}

TEST_F(Bodies, the_documented_chunked_upload) {
  // Bucket and object of the example; the storage class it asks for is the one thing not offered here.
  const auto upload = [this](const std::string& hash, const std::string& names, const std::string& extra,
                             const std::string& signature, const std::string& body) {
    return Harness::parse(face.exchange(fmt::format(
        "PUT /examplebucket/chunkObject.txt HTTP/1.1\r\nHost: s3.amazonaws.com\r\nx-amz-date: "
        "20130524T000000Z\r\n"
        "x-amz-storage-class: REDUCED_REDUNDANCY\r\nAuthorization: AWS4-HMAC-SHA256 "
        "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders={},Signature={}\r\n"
        "x-amz-content-sha256: {}\r\nContent-Encoding: aws-chunked\r\nx-amz-decoded-content-length: "
        "66560\r\n{}\r\n{}",
        names, signature, hash, extra, body)));
  };
  const std::string body = fmt::format(
      "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n{}\r\n"
      "400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n{}\r\n"
      "0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n",
      std::string(65536, 'a'), std::string(1024, 'a'));
  ASSERT_EQ(body.size(), 66824U);
  const auto answers = upload(signed_stream,
                              "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
                              "x-amz-decoded-content-length;x-amz-storage-class",
                              "Content-Length: 66824\r\n",
                              "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9", body);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].element("Code"), "InvalidStorageClass");
}

TEST_F(Bodies, transfer_encoding_chunked_needs_a_length_all_the_same) {
  Request request{
      "PUT", "/bucket/key", {{"transfer-encoding", "chunked"}, {"x-amz-content-sha256", "UNSIGNED-PAYLOAD"}}};
  const auto send = [&] {
    std::string text = Harness::signed_request(request);
    const std::size_t at = text.find("content-length: 0\r\n");
    EXPECT_EQ(at, text.npos);
    return Harness::parse(face.exchange(text + "5\r\nhello\r\n0\r\n\r\n")).back();
  };
  request.method = "POST";
  request.target = "/bucket?delete";
  request.fields["content-md5"] = "XUFAKrxLKna5cZ2REBfFkg==";
  EXPECT_EQ(send().element("Code"), "MalformedXML");
}

TEST_F(Bodies, a_body_that_ends_early_is_nothing) {
  std::string text = Harness::signed_request({"PUT", "/bucket/key", {}, "hello"});
  text.pop_back();
  EXPECT_EQ(Harness::parse(face.exchange(text)).back().element("Code"), "IncompleteBody");
  EXPECT_EQ(face.send({"HEAD", "/bucket/key"}).status, 404U);
}

TEST_F(Bodies, large_bodies_arrive_whole) {
  std::string large(5_MiB + 17, '\0');
  SeededRng rng(7);
  rng.fill(std::as_writable_bytes(std::span(large)));
  EXPECT_EQ(put({}, large).status, 200U);
  EXPECT_EQ(get(), large);
}

}  // namespace
}  // namespace kiseki::s3
