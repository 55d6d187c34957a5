#include <gtest/gtest.h>

#include "s3/testing/harness.h"

// Listings of objects and uploads, and uploads in parts, through the whole face.

namespace kiseki::s3 {
namespace {

using testing::Harness;
using testing::Response;

struct Listings : ::testing::Test {
  Harness face;

  void SetUp() override { ASSERT_EQ(face.send({"PUT", "/bucket"}).status, 200U); }

  Response send(std::string method, std::string target, std::map<std::string, std::string> fields = {},
                std::string body = {}) {
    return face.send({std::move(method), std::move(target), std::move(fields), std::move(body)});
  }
  void put(std::initializer_list<const char*> keys) {
    for (const char* key : keys) ASSERT_EQ(send("PUT", std::string("/bucket/") + key, {}, "x").status, 200U);
  }
  /// Keys and common prefixes in the order of the document, with blanks between.
  static std::string names(const std::string& document) {
    std::string all;
    for (const std::string tag : {"<Key>", "<CommonPrefixes><Prefix>"}) {
      for (std::size_t at = document.find(tag); at != document.npos; at = document.find(tag, at + 1)) {
        const std::size_t start = at + tag.size();
        all += (all.empty() ? "" : " ") + document.substr(start, document.find('<', start) - start);
      }
    }
    return all;
  }
  /// All pages of a V2 listing; "|" between them.
  std::string pages(const std::string& query) {
    std::string all;
    std::string token;
    for (int page = 0; page < 100; ++page) {
      const Response response = send("GET", "/bucket?list-type=2&" + query + token);
      EXPECT_EQ(response.status, 200U) << response.body;
      all += (page == 0 ? "" : "|") + names(response.body);
      if (response.element("IsTruncated") != "true") return all;
      token = "&continuation-token=" + uri_encode(response.element("NextContinuationToken"), Slash::encoded);
    }
    return "endless";
  }
};

TEST_F(Listings, keys_come_in_byte_order) {
  put({"b", "a/1", "a-1", "a.1", "a0", "a/", "%C3%A9"});
  EXPECT_EQ(pages("max-keys=1000"), "a-1 a.1 a/ a/1 a0 b \xc3\xa9");
  EXPECT_EQ(pages("max-keys=2"), "a-1 a.1|a/ a/1|a0 b|\xc3\xa9");
  EXPECT_EQ(pages("prefix=a/"), "a/ a/1");
  EXPECT_EQ(pages("start-after=a0"), "b \xc3\xa9");
}

TEST_F(Listings, slash_folds_directories) {
  put({"a", "b/1", "b/2", "b/c/3", "d/4", "e"});
  EXPECT_EQ(pages("delimiter=/"), "a e b/ d/");
  EXPECT_EQ(pages("delimiter=/&max-keys=1"), "a|b/|d/|e");
  EXPECT_EQ(pages("delimiter=/&prefix=b/"), "b/1 b/2 b/c/");
}

TEST_F(Listings, any_delimiter_folds) {
  put({"a", "b--1", "b--2", "b--2--3", "c-", "d--", "e"});
  EXPECT_EQ(pages("delimiter=--"), "a c- e b-- d--");
  EXPECT_EQ(pages("delimiter=--&max-keys=1"), "a|b--|c-|d--|e");
  EXPECT_EQ(pages("delimiter=--&prefix=b--"), "b--1 b--2 b--2--");
  EXPECT_EQ(pages("delimiter=1&max-keys=2"), "a b--1|b--2 b--2--3|c- d--|e");
}

TEST_F(Listings, folding_passes_over_many_keys_below_one_prefix) {
  for (int i = 0; i < 2500; ++i) {
    ASSERT_EQ(send("PUT", fmt::format("/bucket/m+{:04}", i), {}, "x").status, 200U);
  }
  put({"z"});
  EXPECT_EQ(pages("delimiter=%2B&max-keys=1"), "m+|z");
}

TEST_F(Listings, version_one_goes_on_by_marker) {
  put({"a", "b/1", "c"});
  const Response first = send("GET", "/bucket?delimiter=/&max-keys=2");
  EXPECT_EQ(names(first.body), "a b/");
  EXPECT_EQ(first.element("NextMarker"), "b/");
  EXPECT_EQ(first.element("IsTruncated"), "true");
  const Response second = send("GET", "/bucket?delimiter=/&max-keys=2&marker=b/");
  EXPECT_EQ(names(second.body), "c");
  EXPECT_EQ(second.element("Marker"), "b/");
  EXPECT_EQ(second.element("NextMarker"), "");
}

TEST_F(Listings, names_are_encoded_when_asked) {
  put({"a%20b%0A%2B", "%3Cx%3E"});
  EXPECT_EQ(pages("encoding-type=url"), "%3Cx%3E a%20b%0A%2B");
  EXPECT_EQ(pages(""), "&lt;x&gt; a b&#xA;+");
  EXPECT_EQ(send("GET", "/bucket?list-type=2&encoding-type=other").element("Code"), "InvalidArgument");
}

TEST_F(Listings, limits_are_checked) {
  put({"a"});
  const Response none = send("GET", "/bucket?list-type=2&max-keys=0");
  EXPECT_EQ(none.element("KeyCount"), "0");
  EXPECT_EQ(none.element("IsTruncated"), "false");
  EXPECT_EQ(send("GET", "/bucket?max-keys=5000").element("MaxKeys"), "1000");
  for (const char* bad : {"-1", "x", "", "99999999999"}) {
    EXPECT_EQ(send("GET", std::string("/bucket?max-keys=") + bad).element("Code"), "InvalidArgument") << bad;
  }
  EXPECT_EQ(send("GET", "/bucket?list-type=2&continuation-token=x").element("Code"), "InvalidArgument");
  EXPECT_EQ(send("GET", "/bucket?list-type=3").element("Code"), "InvalidArgument");
  EXPECT_EQ(send("GET", "/nobucket?list-type=2").element("Code"), "NoSuchBucket");
}

TEST_F(Listings, entries_tell_what_heads_tell) {
  send("PUT", "/bucket/key", {{"x-amz-checksum-crc32", "NhCmhg=="}}, "hello");
  const Response list = send("GET", "/bucket?list-type=2&fetch-owner=true");
  EXPECT_EQ(list.element("Size"), "5");
  EXPECT_EQ(list.element("ETag"), "&quot;5d41402abc4b2a76b9719d911017c592&quot;");
  EXPECT_EQ(list.element("LastModified"), "2013-05-24T00:00:00.000Z");
  EXPECT_EQ(list.element("ChecksumAlgorithm"), "CRC32");
  EXPECT_EQ(list.element("StorageClass"), "STANDARD");
  EXPECT_EQ(list.element("ID").size(), 64U);
  const Response versions = send("GET", "/bucket?versions");
  EXPECT_EQ(versions.element("VersionId"), "null");
  EXPECT_EQ(versions.element("IsLatest"), "true");
}

struct Uploads : Listings {
  std::string upload;

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

TEST_F(Uploads, checksums_of_parts_and_whole_are_checked) {
  begin({{"x-amz-checksum-algorithm", "CRC32"}});
  const std::string etag = part(1, "hello", {{"x-amz-checksum-crc32", "NhCmhg=="}});
  const auto sum = [](const char* value) { return fmt::format("<ChecksumCRC32>{}</ChecksumCRC32>", value); };
  EXPECT_EQ(complete({{1, etag}}, {}, sum("AAAAAA==")).element("Code"), "InvalidPart");
  EXPECT_EQ(complete({{1, etag}}, {{"x-amz-mp-object-size", "6"}}).element("Code"), "InvalidRequest");
  EXPECT_EQ(
      complete({{1, etag}}, {{"x-amz-checksum-crc32", "AAAAAA=="}, {"x-amz-checksum-type", "FULL_OBJECT"}})
          .element("Code"),
      "BadDigest");
  EXPECT_EQ(complete({{1, etag}}, {{"x-amz-checksum-sha256", "AAAAAA=="}}).element("Code"), "InvalidRequest");
  EXPECT_EQ(complete({{1, etag}},
                     {{"x-amz-checksum-crc32", "NhCmhg=="},
                      {"x-amz-checksum-type", "FULL_OBJECT"},
                      {"x-amz-mp-object-size", "5"}},
                     sum("NhCmhg=="))
                .status,
            200U);
}

TEST_F(Uploads, parts_are_copied_from_ranges) {
  send("PUT", "/bucket/source", {}, "0123456789");
  begin();
  const std::string target = "/bucket/key?partNumber=1&uploadId=" + upload;
  const Response copied =
      send("PUT", target, {{"x-amz-copy-source", "bucket/source"}, {"x-amz-copy-source-range", "bytes=2-5"}});
  EXPECT_EQ(copied.status, 200U) << copied.body;
  EXPECT_EQ(copied.element("ETag"), "&quot;" + to_hex(crypto::md5(as_view("2345"))) + "&quot;");
  EXPECT_EQ(
      send("PUT", target, {{"x-amz-copy-source", "bucket/source"}, {"x-amz-copy-source-range", "bytes=2-10"}})
          .element("Code"),
      "InvalidArgument");
  EXPECT_EQ(complete({{1, to_hex(crypto::md5(as_view("2345")))}}).status, 200U);
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
