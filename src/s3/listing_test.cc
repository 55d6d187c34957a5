#include <gtest/gtest.h>

#include "s3/testing/harness.h"

// Listings of objects, through the whole face.

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

}  // namespace
}  // namespace kiseki::s3
