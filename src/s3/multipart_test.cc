#include <gtest/gtest.h>

#include "base/encoding.h"
#include "s3/checksum.h"
#include "s3/testing/harness.h"

// Uploads in parts, and the objects they become, through the whole face.

namespace kiseki::s3 {
namespace {

using testing::Harness;
using testing::Response;

struct Uploads : ::testing::Test {
  Harness face;
  std::string upload;

  void SetUp() override { ASSERT_EQ(face.send({"PUT", "/bucket"}).status, 200U); }

  Response send(std::string method, std::string target, std::map<std::string, std::string> fields = {},
                std::string body = {}) {
    return face.send({std::move(method), std::move(target), std::move(fields), std::move(body)});
  }

  void begin(std::map<std::string, std::string> fields = {}) {
    upload = send("POST", "/bucket/key?uploads", std::move(fields)).element("UploadId");
    ASSERT_FALSE(upload.empty());
  }
  std::string part(int number, const std::string& body, std::map<std::string, std::string> fields = {}) {
    const Response response = send(
        "PUT", fmt::format("/bucket/key?partNumber={}&uploadId={}", number, upload), std::move(fields), body);
    return response.status == 200 ? response.field("etag") : response.element("Code");
  }
  Response complete(const std::vector<std::pair<int, std::string>>& parts,
                    std::map<std::string, std::string> fields = {}, const std::string& extra = "") {
    std::string document = "<CompleteMultipartUpload>";
    for (const auto& [number, etag] : parts) {
      document +=
          fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag>{}</Part>", number, etag, extra);
    }
    return send("POST", "/bucket/key?uploadId=" + upload, std::move(fields),
                document + "</CompleteMultipartUpload>");
  }
};

const std::string large(5_MiB, 'a');

TEST_F(Uploads, parts_become_an_object_in_order_of_their_numbers) {
  begin({{"content-type", "text/plain"}, {"x-amz-meta-a", "b"}});
  const std::string second = part(2, "end");
  part(1, "replaced later");
  const std::string first = part(1, large);
  const Response done = complete({{1, first}, {2, second}});
  EXPECT_EQ(done.status, 200U) << done.body;
  EXPECT_EQ(done.element("Location"), "http://s3.example.org/bucket/key");
  const Response got = send("GET", "/bucket/key");
  EXPECT_EQ(got.body, large + "end");
  EXPECT_EQ(got.field("content-type"), "text/plain");
  EXPECT_EQ(got.field("x-amz-meta-a"), "b");
  // MD5 of the two MD5s, computed elsewhere.
  crypto::Hasher md5(crypto::HashKind::md5);
  for (const std::string& etag : {first, second}) md5.update(as_view(*hex_decode(etag.substr(1, 32))));
  EXPECT_EQ(got.field("etag"), fmt::format("\"{}-2\"", to_hex(md5.finish<16>())));
}

TEST_F(Uploads, wrong_lists_are_refused) {
  begin();
  const std::string small = part(1, "small");
  const std::string second = part(2, "end");
  EXPECT_EQ(complete({{2, second}, {1, small}}).element("Code"), "InvalidPartOrder");
  EXPECT_EQ(complete({{1, small}, {1, small}}).element("Code"), "InvalidPartOrder");
  EXPECT_EQ(complete({{1, small}, {2, second}}).element("Code"), "EntityTooSmall");
  EXPECT_EQ(complete({{3, second}}).element("Code"), "InvalidPart");
  EXPECT_EQ(complete({{1, second}}).element("Code"), "InvalidPart");
  EXPECT_EQ(complete({{1, "nonsense"}}).element("Code"), "InvalidPart");
  EXPECT_EQ(complete({}).element("Code"), "MalformedXML");
  EXPECT_EQ(part(0, "x"), "InvalidArgument");
  EXPECT_EQ(part(10'001, "x"), "InvalidArgument");
  EXPECT_EQ(complete({{2, second}}).status, 200U);
}

TEST_F(Uploads, absent_uploads_are_told) {
  begin();
  EXPECT_EQ(send("DELETE", "/bucket/key?uploadId=" + upload).status, 204U);
  EXPECT_EQ(part(1, "x"), "NoSuchUpload");
  EXPECT_EQ(complete({{1, std::string(32, 'a')}}).element("Code"), "NoSuchUpload");
  EXPECT_EQ(send("GET", "/bucket/key?uploadId=" + upload).element("Code"), "NoSuchUpload");
  EXPECT_EQ(send("DELETE", "/bucket/key?uploadId=" + upload).element("Code"), "NoSuchUpload");
}

std::string checksum_of(ChecksumAlgorithm algorithm, std::string_view text) {
  Checksum sum(algorithm);
  sum.update(as_view(text));
  return sum.finish();
}

/// Of the parts' checksums.
std::string composite_of(ChecksumAlgorithm algorithm, std::initializer_list<std::string> parts) {
  Checksum sum(algorithm);
  for (const std::string& part : parts) sum.update(as_view(*base64_decode(part)));
  return fmt::format("{}-{}", sum.finish(), parts.size());
}

TEST_F(Uploads, claims_about_parts_and_whole_are_checked) {
  begin({{"x-amz-checksum-algorithm", "CRC32"}, {"x-amz-checksum-type", "FULL_OBJECT"}});
  const std::string etag = part(1, "hello", {{"x-amz-checksum-crc32", "NhCmhg=="}});
  const auto sum = [](const char* value) { return fmt::format("<ChecksumCRC32>{}</ChecksumCRC32>", value); };
  EXPECT_EQ(complete({{1, etag}}, {}, sum("AAAAAA==")).element("Code"), "InvalidPart");
  EXPECT_EQ(complete({{1, etag}}, {{"x-amz-mp-object-size", "6"}}).element("Code"), "InvalidRequest");
  const Response wrong = complete({{1, etag}}, {{"x-amz-checksum-crc32", "AAAAAA=="}});
  EXPECT_EQ(wrong.element("Code"), "BadDigest");
  EXPECT_EQ(wrong.element("ExpectedDigest"), "AAAAAA==");
  EXPECT_EQ(wrong.element("CalculatedDigest"), "NhCmhg==");
  EXPECT_EQ(complete({{1, etag}}, {{"x-amz-checksum-sha256", "AAAAAA=="}}).element("Code"), "InvalidRequest");
  const Response done = complete({{1, etag}},
                                 {{"x-amz-checksum-crc32", "NhCmhg=="},
                                  {"x-amz-checksum-type", "FULL_OBJECT"},
                                  {"x-amz-mp-object-size", "5"}},
                                 sum("NhCmhg=="));
  EXPECT_EQ(done.status, 200U) << done.body;
  EXPECT_EQ(done.element("ChecksumCRC32"), "NhCmhg==");
  EXPECT_EQ(done.element("ChecksumType"), "FULL_OBJECT");
}

TEST_F(Uploads, algorithm_and_type_are_told_and_kept) {
  const Response made = send("POST", "/bucket/key?uploads", {{"x-amz-checksum-algorithm", "sha256"}});
  EXPECT_EQ(made.field("x-amz-checksum-algorithm"), "SHA256");
  EXPECT_EQ(made.field("x-amz-checksum-type"), "COMPOSITE");
  upload = made.element("UploadId");
  const Response listed = send("GET", "/bucket/key?uploadId=" + upload);
  EXPECT_EQ(listed.element("ChecksumAlgorithm"), "SHA256");
  EXPECT_EQ(listed.element("ChecksumType"), "COMPOSITE");
  EXPECT_EQ(send("GET", "/bucket?uploads").element("ChecksumAlgorithm"), "SHA256");
  const auto refused = [this](std::map<std::string, std::string> fields) {
    return send("POST", "/bucket/key?uploads", std::move(fields)).element("Code");
  };
  EXPECT_EQ(refused({{"x-amz-checksum-algorithm", "CRC16"}}), "InvalidRequest");
  EXPECT_EQ(refused({{"x-amz-checksum-type", "COMPOSITE"}}), "InvalidRequest");
  EXPECT_EQ(refused({{"x-amz-checksum-algorithm", "SHA1"}, {"x-amz-checksum-type", "FULL_OBJECT"}}),
            "InvalidRequest");
  EXPECT_EQ(refused({{"x-amz-checksum-algorithm", "CRC64NVME"}, {"x-amz-checksum-type", "COMPOSITE"}}),
            "InvalidRequest");
}

TEST_F(Uploads, a_part_of_another_algorithm_is_refused) {
  const std::string sha = checksum_of(ChecksumAlgorithm::sha256, "x");
  begin({{"x-amz-checksum-algorithm", "CRC32"}});
  EXPECT_EQ(part(1, "x", {{"x-amz-checksum-sha256", sha}}), "InvalidRequest");
  EXPECT_EQ(part(1, "x"), "InvalidRequest");  // the whole is made of the parts' own
  EXPECT_EQ(part(1, "x", {{"x-amz-checksum-crc32", checksum_of(ChecksumAlgorithm::crc32, "y")}}),
            "BadDigest");
  EXPECT_EQ(send("GET", "/bucket/key?uploadId=" + upload).element("PartNumber"), "");
}

TEST_F(Uploads, an_upload_that_names_no_algorithm_takes_parts_of_any_and_keeps_crc64nvme) {
  begin();
  const std::string sha = checksum_of(ChecksumAlgorithm::sha256, "x");
  EXPECT_EQ(part(1, "y", {{"x-amz-checksum-sha256", sha}}), "BadDigest");
  const std::string etag = part(1, "x", {{"x-amz-checksum-sha256", sha}});
  EXPECT_EQ(complete({{1, etag}}).element("ChecksumCRC64NVME"),
            checksum_of(ChecksumAlgorithm::crc64nvme, "x"));
}

TEST_F(Uploads, another_type_at_the_end_is_a_bad_digest_also_without_a_checksum) {
  begin({{"x-amz-checksum-algorithm", "CRC32C"}, {"x-amz-checksum-type", "FULL_OBJECT"}});
  const std::string etag = part(1, "hello");
  EXPECT_EQ(complete({{1, etag}}, {{"x-amz-checksum-type", "COMPOSITE"}}).element("Code"), "BadDigest");
  EXPECT_EQ(complete({{1, etag}}, {{"x-amz-checksum-type", "FULL_OBJECT"}}).status, 200U);
}

TEST_F(Uploads, checksums_of_the_whole_are_computed_returned_kept_and_shown) {
  struct Row {
    ChecksumAlgorithm algorithm;
    const char* type;
  };
  using enum ChecksumAlgorithm;
  for (const Row& row :
       {Row{crc32, "COMPOSITE"}, Row{crc32c, "COMPOSITE"}, Row{sha1, "COMPOSITE"}, Row{sha256, "COMPOSITE"},
        Row{crc32, "FULL_OBJECT"}, Row{crc32c, "FULL_OBJECT"}, Row{crc64nvme, "FULL_OBJECT"}}) {
    const std::string name(constant_of(row.algorithm));
    begin({{"x-amz-checksum-algorithm", name}, {"x-amz-checksum-type", row.type}});
    const std::string first = checksum_of(row.algorithm, large);
    const std::string second = checksum_of(row.algorithm, "end");
    const std::string one = part(1, large, {{field_of(row.algorithm), first}});
    const std::string two = part(2, "end", {{field_of(row.algorithm), second}});
    const bool full = row.type == std::string_view("FULL_OBJECT");
    const std::string whole =
        full ? checksum_of(row.algorithm, large + "end") : composite_of(row.algorithm, {first, second});
    const Response done = complete({{1, one}, {2, two}});
    EXPECT_EQ(done.element("Checksum" + name), whole) << done.body;
    EXPECT_EQ(done.element("ChecksumType"), row.type);
    for (const char* method : {"GET", "HEAD"}) {
      const Response got = send(method, "/bucket/key", {{"x-amz-checksum-mode", "ENABLED"}});
      EXPECT_EQ(got.field(field_of(row.algorithm)), whole);
      EXPECT_EQ(got.field("x-amz-checksum-type"), row.type);
    }
    EXPECT_EQ(send("HEAD", "/bucket/key").field(field_of(row.algorithm)), "");
    EXPECT_EQ(send("GET", "/bucket?list-type=2").element("ChecksumType"), row.type);
  }
}

TEST_F(Uploads, parts_without_a_checksum_get_crc64nvme) {
  begin();
  const Response sent = send("PUT", "/bucket/key?partNumber=1&uploadId=" + upload, {}, large);
  EXPECT_EQ(sent.field("x-amz-checksum-crc64nvme"), checksum_of(ChecksumAlgorithm::crc64nvme, large));
  const std::string second =
      part(2, "end", {{"x-amz-checksum-crc64nvme", checksum_of(ChecksumAlgorithm::crc64nvme, "end")}});
  const Response done = complete({{1, sent.field("etag")}, {2, second}});
  EXPECT_EQ(done.element("ChecksumCRC64NVME"), checksum_of(ChecksumAlgorithm::crc64nvme, large + "end"));
  EXPECT_EQ(done.element("ChecksumType"), "FULL_OBJECT");
}

TEST_F(Uploads, a_completion_is_answered_again_while_its_object_stands) {
  begin({{"x-amz-checksum-algorithm", "CRC32"}});
  const std::string etag = part(1, "hello", {{"x-amz-checksum-crc32", "NhCmhg=="}});
  const std::string claim = "<ChecksumCRC32>NhCmhg==</ChecksumCRC32>";
  const Response first = complete({{1, etag}}, {}, claim);
  const Response again = complete({{1, etag}}, {}, claim);
  EXPECT_EQ(again.status, 200U);
  EXPECT_EQ(again.body, first.body);
}

TEST_F(Uploads, ten_thousand_parts_are_listed_paged_and_completed) {
  face.files().pretend_part_size(5_MiB);
  begin();
  std::vector<std::pair<int, std::string>> parts;
  for (int number = 1; number <= 10'000; ++number) parts.emplace_back(number, part(number, "x"));
  std::string marker;
  std::size_t listed = 0;
  for (std::string more = "true"; more == "true";) {
    const Response page = send("GET", "/bucket/key?uploadId=" + upload + marker);
    ASSERT_EQ(page.status, 200U);
    std::size_t on_page = 0;
    for (std::size_t at = page.body.find("<Part>"); at != page.body.npos;
         at = page.body.find("<Part>", at + 1))
      ++on_page;
    ASSERT_EQ(on_page, 1000U);
    listed += on_page;
    EXPECT_EQ(page.element("NextPartNumberMarker"), fmt::format("{}", listed));
    more = page.element("IsTruncated");
    marker = "&part-number-marker=" + page.element("NextPartNumberMarker");
  }
  EXPECT_EQ(listed, 10'000U);
  const Response done = complete(parts, {{"x-amz-mp-object-size", "52428800000"}},
                                 fmt::format("<ChecksumCRC64NVME>{}</ChecksumCRC64NVME>",
                                             checksum_of(ChecksumAlgorithm::crc64nvme, "x")));
  EXPECT_EQ(done.status, 200U) << done.body;
  const Response last = send("GET", "/bucket/key?partNumber=10000");
  EXPECT_EQ(last.status, 206U);
  EXPECT_EQ(last.field("x-amz-mp-parts-count"), "10000");
}

TEST_F(Uploads, an_assembly_above_five_tebibytes_is_too_large) {
  begin();
  std::vector<std::pair<int, std::string>> parts;
  for (int number = 1; number <= 1025; ++number) parts.emplace_back(number, part(number, "x"));
  face.files().pretend_part_size(5_GiB);
  const Response refused = complete(parts);
  EXPECT_EQ(refused.status, 400U);
  EXPECT_EQ(refused.element("Code"), "EntityTooLarge");
  EXPECT_EQ(refused.element("ProposedSize"), fmt::format("{}", 1025 * 5_GiB));
  EXPECT_EQ(refused.element("MaxSizeAllowed"), fmt::format("{}", 5_GiB * 1024));
  parts.pop_back();
  EXPECT_EQ(complete(parts).status, 200U);
}

TEST_F(Uploads, if_match_on_a_missing_key_is_about_the_key) {
  begin();
  const std::string etag = part(1, "x");
  const Response absent = complete({{1, etag}}, {{"if-match", "\"a\""}});
  EXPECT_EQ(absent.element("Code"), "NoSuchKey");
  EXPECT_EQ(absent.element("Key"), "key");
  EXPECT_EQ(complete({{1, etag}}, {{"if-none-match", "*"}}).status, 200U);
  begin();
  part(1, "x");
  const Response there = complete({{1, etag}}, {{"if-none-match", "*"}});
  EXPECT_EQ(there.element("Code"), "PreconditionFailed");
  EXPECT_EQ(there.element("Condition"), "If-None-Match");
  upload = std::string(32, 'f');
  EXPECT_EQ(complete({{1, etag}}, {{"if-match", "\"a\""}}).element("Code"), "NoSuchUpload");
}

TEST_F(Uploads, objects_are_read_by_part) {
  begin();
  const std::string first = part(3, large);
  const std::string second = part(7, "end");
  complete({{3, first}, {7, second}});
  for (const char* method : {"GET", "HEAD"}) {
    const Response got = send(method, "/bucket/key?partNumber=2");
    EXPECT_EQ(got.status, 206U);
    EXPECT_EQ(got.field("content-length"), "3");
    EXPECT_EQ(got.field("content-range"), "bytes 5242880-5242882/5242883");
    EXPECT_EQ(got.field("x-amz-mp-parts-count"), "2");
  }
  EXPECT_EQ(send("GET", "/bucket/key?partNumber=2").body, "end");
  EXPECT_EQ(send("GET", "/bucket/key?partNumber=1").body, large);
  EXPECT_EQ(send("GET", "/bucket/key").field("x-amz-mp-parts-count"), "");
  const Response beyond = send("GET", "/bucket/key?partNumber=3");
  EXPECT_EQ(beyond.status, 416U);
  EXPECT_EQ(beyond.element("Code"), "InvalidPartNumber");
  EXPECT_EQ(beyond.element("PartNumberRequested"), "3");
  EXPECT_EQ(beyond.element("ActualPartCount"), "2");
  EXPECT_EQ(send("GET", "/bucket/key?partNumber=0").element("Code"), "InvalidArgument");
  EXPECT_EQ(send("GET", "/bucket/key?partNumber=1", {{"range", "bytes=0-1"}}).element("Code"),
            "InvalidRequest");
}

TEST_F(Uploads, an_object_that_was_put_whole_is_its_own_first_part) {
  send("PUT", "/bucket/key", {}, "hello");
  const Response whole = send("GET", "/bucket/key?partNumber=1");
  EXPECT_EQ(whole.status, 206U);
  EXPECT_EQ(whole.body, "hello");
  EXPECT_EQ(whole.field("content-range"), "bytes 0-4/5");
  EXPECT_EQ(whole.field("x-amz-mp-parts-count"), "");
  EXPECT_EQ(send("GET", "/bucket/key?partNumber=2").element("Code"), "InvalidPartNumber");
  send("PUT", "/bucket/empty");
  for (const char* method : {"GET", "HEAD"}) {
    const Response empty = send(method, "/bucket/empty?partNumber=1");
    EXPECT_EQ(empty.status, 200U);
    EXPECT_EQ(empty.field("content-length"), "0");
  }
}

TEST_F(Uploads, a_copy_of_an_object_that_came_in_parts_has_the_digests_of_its_bytes) {
  begin({{"x-amz-checksum-algorithm", "SHA256"}, {"content-type", "text/x"}});
  const auto put = [this](int number, const std::string& text) {
    return part(number, text, {{"x-amz-checksum-sha256", checksum_of(ChecksumAlgorithm::sha256, text)}});
  };
  const std::string first = put(1, large);
  const std::string second = put(2, "end");
  complete({{1, first}, {2, second}});
  const Response copied = send("PUT", "/bucket/copy", {{"x-amz-copy-source", "bucket/key"}});
  EXPECT_EQ(copied.status, 200U) << copied.body;
  EXPECT_EQ(copied.element("ETag"), "&quot;" + to_hex(crypto::md5(as_view(large + "end"))) + "&quot;");
  EXPECT_EQ(copied.element("ChecksumSHA256"), checksum_of(ChecksumAlgorithm::sha256, large + "end"));
  EXPECT_EQ(copied.element("ChecksumType"), "FULL_OBJECT");
  const Response got = send("GET", "/bucket/copy", {{"x-amz-checksum-mode", "ENABLED"}});
  EXPECT_EQ(got.field("content-type"), "text/x");
  EXPECT_EQ(got.field("x-amz-checksum-type"), "FULL_OBJECT");
  EXPECT_EQ(got.body, large + "end");
  EXPECT_EQ(send("GET", "/bucket/copy?partNumber=2").element("Code"), "InvalidPartNumber");
  face.files().replace_on_next_read("key");
  EXPECT_EQ(send("PUT", "/bucket/copy", {{"x-amz-copy-source", "bucket/key"}}).status, 200U);
}

TEST_F(Uploads, a_copy_may_get_another_checksum) {
  send("PUT", "/bucket/source", {{"x-amz-checksum-crc32", "NhCmhg=="}}, "hello");
  const auto copy = [this](std::map<std::string, std::string> fields) {
    fields["x-amz-copy-source"] = "bucket/source";
    return send("PUT", "/bucket/copy", std::move(fields));
  };
  EXPECT_EQ(copy({}).element("ChecksumCRC32"), "NhCmhg==");
  const Response other = copy({{"x-amz-checksum-algorithm", "SHA1"}});
  EXPECT_EQ(other.element("ChecksumSHA1"), checksum_of(ChecksumAlgorithm::sha1, "hello"));
  EXPECT_EQ(other.element("ChecksumCRC32"), "");
  EXPECT_EQ(other.element("ETag"), "&quot;5d41402abc4b2a76b9719d911017c592&quot;");
  EXPECT_EQ(send("HEAD", "/bucket/copy", {{"x-amz-checksum-mode", "ENABLED"}}).field("x-amz-checksum-sha1"),
            checksum_of(ChecksumAlgorithm::sha1, "hello"));
  EXPECT_EQ(copy({{"x-amz-checksum-algorithm", "MD5"}}).element("Code"), "InvalidRequest");
}

TEST_F(Uploads, parts_are_copied_from_ranges) {
  send("PUT", "/bucket/source", {}, "0123456789");
  begin();
  const std::string target = "/bucket/key?partNumber=1&uploadId=" + upload;
  const Response copied =
      send("PUT", target, {{"x-amz-copy-source", "bucket/source"}, {"x-amz-copy-source-range", "bytes=2-5"}});
  EXPECT_EQ(copied.status, 200U) << copied.body;
  EXPECT_EQ(copied.element("ETag"), "&quot;" + to_hex(crypto::md5(as_view("2345"))) + "&quot;");
  EXPECT_EQ(copied.element("ChecksumCRC64NVME"), checksum_of(ChecksumAlgorithm::crc64nvme, "2345"));
  EXPECT_EQ(
      send("PUT", target, {{"x-amz-copy-source", "bucket/source"}, {"x-amz-copy-source-range", "bytes=2-10"}})
          .element("Code"),
      "InvalidArgument");
  const Response done = complete({{1, to_hex(crypto::md5(as_view("2345")))}});
  EXPECT_EQ(done.element("ChecksumCRC64NVME"), checksum_of(ChecksumAlgorithm::crc64nvme, "2345"));
  EXPECT_EQ(send("GET", "/bucket/key").body, "2345");
}

TEST_F(Uploads, are_listed_in_pages) {
  begin();
  for (int i = 1; i <= 3; ++i) part(i, "x");
  const Response first = send("GET", "/bucket/key?max-parts=2&uploadId=" + upload);
  EXPECT_EQ(first.element("IsTruncated"), "true");
  EXPECT_EQ(first.element("NextPartNumberMarker"), "2");
  const Response second = send("GET", "/bucket/key?part-number-marker=2&uploadId=" + upload);
  EXPECT_EQ(second.element("PartNumber"), "3");
  EXPECT_EQ(second.element("IsTruncated"), "false");
  const std::string earlier = upload;
  begin();
  const Response uploads = send("GET", "/bucket?uploads&max-uploads=1");
  EXPECT_EQ(uploads.element("UploadId"), earlier);
  EXPECT_EQ(uploads.element("NextUploadIdMarker"), earlier);
  const Response rest = send("GET", "/bucket?uploads&key-marker=key&upload-id-marker=" + earlier);
  EXPECT_EQ(rest.element("UploadId"), upload);
  EXPECT_EQ(send("GET", "/bucket?uploads&prefix=x").element("UploadId"), "");
}

}  // namespace
}  // namespace kiseki::s3
