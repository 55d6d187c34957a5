#include <gtest/gtest.h>

#include "s3/access_log.h"
#include "s3/checksum.h"
#include "s3/chunk_framing.h"
#include "s3/conditions.h"
#include "s3/error.h"
#include "s3/http_parser.h"
#include "s3/listing.h"
#include "s3/multipart_checksum.h"
#include "s3/time_format.h"
#include "s3/uri.h"
#include "s3/xml.h"
#include "s3/xml_requests.h"

// The pure parts: texts in, values out.

namespace kiseki::s3 {
namespace {

HeadFault fault_of(const std::string& text) {
  HttpHead head;
  return parse_head(as_view(text), head);
}

TEST(Head, is_taken_as_it_came) {
  HttpHead head;
  ASSERT_EQ(parse_head(as_view("PUT /a%2Fb?x HTTP/1.1\r\nHost: h\r\nX-Amz-Meta-\xc3: \xc3\xa9 \r\nExpect: "
                               "100-Continue\r\ncontent-length: 12\r\n\r\n"),
                       head),
            HeadFault::malformed);
  ASSERT_EQ(parse_head(as_view("PUT /a%2Fb?x HTTP/1.1\r\nHost: h\r\nX-Amz-Meta-A: \xc3\xa9 \r\nExpect: "
                               "100-Continue\r\ncontent-length: 12\r\n\r\n"),
                       head),
            HeadFault::none);
  EXPECT_EQ(head.method(), "PUT");
  EXPECT_EQ(head.target(), "/a%2Fb?x");
  EXPECT_EQ(head.get("x-amz-meta-a"), "\xc3\xa9");
  EXPECT_TRUE(head.expects_continue());
  EXPECT_TRUE(head.keep_alive());
  EXPECT_EQ(head.content_length(), 12U);
}

TEST(Head, frames_a_body_in_one_way_only) {
  const std::string start = "PUT / HTTP/1.1\r\nHost: h\r\n";
  EXPECT_EQ(fault_of(start + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
            HeadFault::malformed);
  EXPECT_EQ(fault_of(start + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"),
            HeadFault::malformed);
  EXPECT_EQ(fault_of(start + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"), HeadFault::malformed);
  EXPECT_EQ(fault_of(start + "Content-Length: -1\r\n\r\n"), HeadFault::malformed);
  EXPECT_EQ(fault_of(start + "Content-Length: 1x\r\n\r\n"), HeadFault::malformed);
  EXPECT_EQ(fault_of(start + "Content-Length: 99999999999999999999\r\n\r\n"), HeadFault::malformed);
  EXPECT_EQ(fault_of(start + "Transfer-Encoding: gzip, chunked\r\n\r\n"), HeadFault::unsupported_coding);
  EXPECT_EQ(fault_of(start + "Transfer-Encoding: identity\r\n\r\n"), HeadFault::unsupported_coding);
  EXPECT_EQ(fault_of(start + "Host: other\r\n\r\n"), HeadFault::malformed);
}

TEST(Head, faults_are_told_apart) {
  EXPECT_EQ(fault_of("GET / HTTP/2.0\r\n\r\n"), HeadFault::unsupported_version);
  EXPECT_EQ(fault_of("GET /" + std::string(http_target_max, 'a') + " HTTP/1.1\r\n\r\n"),
            HeadFault::too_large);
  EXPECT_EQ(fault_of("GET / HTTP/1.1\r\na: " + std::string(9000, 'a') + "\r\n\r\n"), HeadFault::too_large);
  EXPECT_EQ(fault_of("GET / HTTP/1.1\r\nno colon\r\n\r\n"), HeadFault::malformed);
  EXPECT_EQ(fault_of("GET / HTTP/1.1\r\na : b\r\n\r\n"), HeadFault::malformed);
  EXPECT_EQ(fault_of("GET / HTTP/1.1\r\na: b\x01\r\n\r\n"), HeadFault::malformed);
  std::string many = "GET / HTTP/1.1\r\n";
  while (many.size() < http_head_max) many += "a: " + std::string(1000, 'b') + "\r\n";
  EXPECT_EQ(fault_of(many + "\r\n"), HeadFault::too_large);
}

TEST(Head, folded_fields_are_refused) {
  EXPECT_EQ(fault_of("GET / HTTP/1.1\r\nHost: h\r\na: b\r\n c\r\n\r\n"), HeadFault::malformed);
  EXPECT_EQ(fault_of("GET / HTTP/1.1\r\nHost: h\r\na: b\r\n\tc: d\r\n\r\n"), HeadFault::malformed);
  EXPECT_EQ(fault_of("GET / HTTP/1.1\r\n Host: h\r\n\r\n"), HeadFault::malformed);
  EXPECT_EQ(fault_of("GET / HTTP/1.1\r\nHost: h\r\na: b \t c\r\n\r\n"), HeadFault::none);
}

TEST(AccessLine, is_an_object_of_json) {
  AccessRecord record{.time = WallTime(std::chrono::milliseconds(1'369'353'600'123)),
                      .request_id = "0A",
                      .key_id = "quote\"back\\line\n",
                      .operation = "PutObject",
                      .bucket = "photos",
                      .status = 200,
                      .received = 4096,
                      .sent = 7,
                      .first_byte = std::chrono::microseconds(1500),
                      .last_byte = std::chrono::microseconds(1501)};
  EXPECT_EQ(access_line(record),
            R"({"time":"2013-05-24T00:00:00.123Z","request":"0A","key":"quote\"back\\line\u000a",)"
            R"("operation":"PutObject","bucket":"photos","status":200,"bytes_in":4096,"bytes_out":7,)"
            R"("first_byte_us":1500,"last_byte_us":1501})"
            "\n");
}

TEST(Response, no_value_can_end_a_line) {
  HttpResponse response(200);
  response.add("x-amz-meta-a", "b\r\nEvil: yes");
  EXPECT_EQ(response.fields(), "x-amz-meta-a: b  Evil: yes\r\n");
}

TEST(Uri, encodes_and_decodes) {
  EXPECT_EQ(uri_encode("a/b c~*\xc3\xa9", Slash::kept), "a/b%20c~%2A%C3%A9");
  EXPECT_EQ(uri_encode("a/b", Slash::encoded), "a%2Fb");
  EXPECT_EQ(percent_decode("a%2fb+c"), "a/b+c");
  for (const char* bad : {"%", "%4", "%zz", "a%"}) EXPECT_FALSE(percent_decode(bad)) << bad;
}

TEST(Uri, targets_are_paths_or_whole_addresses) {
  EXPECT_EQ(parse_target("/b/k%20k?a=1&b")->path, "/b/k k");
  EXPECT_EQ(parse_target("http://host:1/b?x=y")->path, "/b");
  EXPECT_EQ(parse_target("http://host")->path, "/");
  EXPECT_EQ(parse_target("/b?a=%31&&c=+")->query.get("a"), "1");
  EXPECT_EQ(parse_target("/b?a=%31&&c=+")->query.get("c"), " ");
  for (const char* bad :
       {"b/k", "*", "/%ff", "/%c0%80", "/%00", "/%e0%80%80", "/%ed%a0%80", "/%f4%90%80%80", "/a?b=%"}) {
    EXPECT_FALSE(parse_target(bad)) << bad;
  }
}

TEST(Time, is_written_and_read) {
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
  EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994"), 784111777);
  EXPECT_EQ(compact_time(1369353600), "20130524T000000Z");
  EXPECT_EQ(parse_compact_time("20130524T000000Z"), 1369353600);
  EXPECT_EQ(iso_time(1369353600123), "2013-05-24T00:00:00.123Z");
  IsoTimes times;
  for (const std::int64_t time :
       {1369353600123, 1369353659999, 1369353660000, 1369353600007, 1369353719999}) {
    EXPECT_EQ(times.of(static_cast<std::uint64_t>(time)), iso_time(static_cast<std::uint64_t>(time)));
  }
  for (const char* bad :
       {"", "x", "Sun, 99 Nov 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov"}) {
    EXPECT_FALSE(parse_http_date(bad)) << bad;
  }
  for (const char* bad : {"", "20130524T000000", "20131324T000000Z", "2013-05-24T00:00Z"}) {
    EXPECT_FALSE(parse_compact_time(bad)) << bad;
  }
}

TEST(Range, is_cut_to_the_object) {
  const auto range = [](const char* text, Bytes size) -> std::string {
    const auto parsed = parse_range(text, size);
    if (!parsed) return std::string(describe(parsed.error().code).name);
    return *parsed ? fmt::format("{}+{}", (*parsed)->offset, (*parsed)->length) : "whole";
  };
  EXPECT_EQ(range("bytes=0-9", 100), "0+10");
  EXPECT_EQ(range("bytes=90-200", 100), "90+10");
  EXPECT_EQ(range("bytes=99-", 100), "99+1");
  EXPECT_EQ(range("bytes=-10", 100), "90+10");
  EXPECT_EQ(range("bytes=-1000", 100), "0+100");
  EXPECT_EQ(range("bytes=0-18446744073709551615", 100), "0+100");
  EXPECT_EQ(range("bytes=100-", 100), "InvalidRange");
  EXPECT_EQ(range("bytes=-0", 100), "InvalidRange");
  EXPECT_EQ(range("bytes=0-", 0), "InvalidRange");
  for (const char* whole : {"bytes=9-0", "bytes=a-b", "bytes=", "bytes=-", "items=0-1", "bytes=0-1,3-4",
                            "0-1", "bytes=0-99999999999999999999", "bytes=--1"}) {
    EXPECT_EQ(range(whole, 100), "whole") << whole;
  }
  EXPECT_EQ(parse_copy_range("bytes=1-2", 3)->length, 2U);
  for (const char* bad : {"bytes=1-", "bytes=-1", "bytes=1-3", "bytes=2-1", "x"}) {
    EXPECT_EQ(parse_copy_range(bad, 3).error().code, S3Code::invalid_argument) << bad;
  }
}

TEST(Conditions, a_tag_beats_its_date) {
  using enum ConditionResult;
  EXPECT_EQ(evaluate({}, "e", 10), holds);
  EXPECT_EQ(evaluate({.if_match = "\"e\""}, "e", 10), holds);
  EXPECT_EQ(evaluate({.if_match = "\"x\", \"e\""}, "e", 10), holds);
  EXPECT_EQ(evaluate({.if_match = "*"}, "e", 10), holds);
  EXPECT_EQ(evaluate({.if_match = "e"}, "e", 10), holds);
  EXPECT_EQ(evaluate({.if_match = "W/\"e\""}, "e", 10), failed);
  EXPECT_EQ(evaluate({.if_match = ""}, "e", 10), failed);
  EXPECT_EQ(evaluate({.if_match = "\"e\"", .if_unmodified_since = 5}, "e", 10), holds);
  EXPECT_EQ(evaluate({.if_unmodified_since = 9}, "e", 10), failed);
  EXPECT_EQ(evaluate({.if_unmodified_since = 10}, "e", 10), holds);
  EXPECT_EQ(evaluate({.if_none_match = "W/\"e\""}, "e", 10), not_modified);
  EXPECT_EQ(evaluate({.if_none_match = "\"x\"", .if_modified_since = 20}, "e", 10), holds);
  EXPECT_EQ(evaluate({.if_modified_since = 10}, "e", 10), not_modified);
  EXPECT_EQ(evaluate({.if_modified_since = 9}, "e", 10), holds);
}

TEST(ChunkFraming, takes_framing_in_any_pieces) {
  const std::string text = "3;x=y\r\nabc\r\n00002\r\nde\r\n0;z\r\nA: b \r\nc:\r\n\r\n";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    ChunkFraming framing;
    std::string data;
    for (std::size_t at = 0; at < text.size();) {
      if (framing.state() == ChunkFraming::State::data) {
        const std::size_t count = std::min<std::size_t>({framing.data_left(), step, text.size() - at});
        data += text.substr(at, count);
        framing.pass(count);
        at += count;
        continue;
      }
      const auto taken = framing.feed(as_view(std::string_view(text).substr(at, step)));
      ASSERT_TRUE(taken);
      at += *taken;
    }
    EXPECT_EQ(framing.state(), ChunkFraming::State::finished);
    EXPECT_EQ(data, "abcde");
    EXPECT_EQ(framing.extension(), "z");
    ASSERT_EQ(framing.trailers().size(), 2U);
    EXPECT_EQ(framing.trailers()[0], (std::pair<std::string, std::string>("a", "b")));
  }
}

TEST(ChunkFraming, refuses_what_is_not_framing) {
  for (const std::string& bad :
       {std::string("\r\n"), std::string("x\r\n"), std::string("-1\r\n"), std::string("1\n"),
        std::string("1\rx"), std::string("ffffffffffffffff\r\n"), std::string("10000000000000000\r\n"),
        std::string(5000, 'a'), std::string("0\r\nno colon\r\n"), std::string("0\r\n:x\r\n"),
        std::string("0x1\r\n"), std::string("4000000000001\r\n")}) {
    EXPECT_FALSE(ChunkFraming().feed(as_view(bad))) << bad.substr(0, 20);
  }
  EXPECT_TRUE(ChunkFraming().feed(as_view("4000000000000\r\n")));
  std::string many = "0\r\n";
  for (int i = 0; i < 100; ++i) many += "a: b\r\n";
  EXPECT_FALSE(ChunkFraming().feed(as_view(many)));
}

TEST(Xml, escapes_what_xml_cannot_hold) {
  XmlWriter xml("A", XmlWriter::Namespace::none);
  xml.open("B")
      .element("C", "<&>\"\x01\r\xff\xc3\xa9")
      .close()
      .element("N", std::uint64_t{7})
      .flag("F", true);
  EXPECT_EQ(xml.finish(),
            "<?xml version=\"1.0\" "
            "encoding=\"UTF-8\"?>\n<A><B><C>&lt;&amp;&gt;&quot;&#x1;&#xD;\xef\xbf\xbd\xc3\xa9</C>"
            "</B><N>7</N><F>true</F></A>");
}

TEST(Xml, documents_are_read) {
  EXPECT_EQ(parse_create_bucket(""), "");
  EXPECT_EQ(
      parse_create_bucket("<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n"
                          " <LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"),
      "eu-west-1");
  const auto deletion = parse_delete(
      "<?xml version='1.0'?><s3:Delete xmlns:s3='u'><s3:Quiet>true</s3:Quiet><s3:Object><s3:Key> a&amp;&#x41;"
      "<![CDATA[<b>]]></s3:Key></s3:Object><s3:Object><s3:Key>c</s3:Key><s3:VersionId>null</s3:VersionId></"
      "s3:Object>"
      "</s3:Delete>");
  ASSERT_TRUE(deletion);
  EXPECT_TRUE(deletion->quiet);
  EXPECT_EQ(deletion->items[0].key, " a&A<b>");
  EXPECT_EQ(deletion->items[1].version, "null");
  const auto complete = parse_complete(
      "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>&quot;ab&quot;</"
      "ETag><ChecksumCRC32C>x</"
      "ChecksumCRC32C></Part><Part><ETag>cd</ETag><PartNumber> 2 "
      "</PartNumber></Part></CompleteMultipartUpload>");
  ASSERT_TRUE(complete);
  EXPECT_EQ(complete->parts[0].etag, "ab");
  EXPECT_EQ(complete->parts[0].checksums[0].first, "crc32c");
  EXPECT_EQ(complete->parts[1].number, 2U);
}

TEST(Xml, hostile_documents_are_refused) {
  std::string deep = "<Delete>";
  for (int i = 0; i < 300'000; ++i) deep += "<a>";
  std::string many = "<Delete>";
  for (int i = 0; i < 1001; ++i) many += "<Object><Key>k</Key></Object>";
  const std::string bombs =
      "<!DOCTYPE d [<!ENTITY a \"aaaa\"><!ENTITY b "
      "\"&a;&a;&a;\">]><Delete><Object><Key>&b;</Key></Object></Delete>";
  const std::string outside =
      "<!DOCTYPE d SYSTEM \"file:///etc/passwd\"><Delete><Object><Key>k</Key></Object></Delete>";
  for (const std::string& bad :
       {std::string(), std::string("x"), std::string("<Delete>"), std::string("<Delete/>"),
        std::string("<Other/>"), std::string("<Delete><Object/></Delete>"),
        std::string("<Delete><Object><Key></Key></Object></Delete>"), std::string("<Delete/><Delete/>"),
        std::string("<Delete\0/>", 10), deep, many + "</Delete>", bombs, outside}) {
    const auto refused = parse_delete(bad);
    ASSERT_FALSE(refused) << bad.substr(0, 60);
    EXPECT_EQ(refused.error().code, S3Code::malformed_xml);
  }
  for (const char* part :
       {"<PartNumber>x</PartNumber><ETag>a</ETag>", "<PartNumber>0</PartNumber><ETag>a</ETag>",
        "<PartNumber>-1</PartNumber><ETag>a</ETag>", "<PartNumber>1</PartNumber>", "<ETag>a</ETag>",
        "<PartNumber>4294967297</PartNumber><ETag>a</ETag>"}) {
    const std::string document =
        fmt::format("<CompleteMultipartUpload><Part>{}</Part></CompleteMultipartUpload>", part);
    EXPECT_FALSE(parse_complete(document)) << part;
  }
  EXPECT_FALSE(parse_create_bucket("<CreateBucketConfiguration><Bucket/></CreateBucketConfiguration>"));
}

TEST(Token, is_opaque_and_checked) {
  for (const std::string name : {"a", "a/b\xff", "\xc3\xa9 ?&"})
    EXPECT_EQ(read_token(make_token(name)), name);
  EXPECT_EQ(make_token("~~~???").find_first_of("+/ &"), std::string::npos);
  for (const char* bad : {"", "x", "AAAA", "MQ=="}) EXPECT_FALSE(read_token(bad)) << bad;
}

TEST(Checksums, crcs_of_parts_make_the_crc_of_the_whole) {
  std::string text(100'003, '\0');
  SeededRng rng(3);
  rng.fill(std::as_writable_bytes(std::span(text)));
  for (const ChecksumAlgorithm algorithm :
       {ChecksumAlgorithm::crc32, ChecksumAlgorithm::crc32c, ChecksumAlgorithm::crc64nvme}) {
    Checksum whole(algorithm);
    whole.update(as_view(text));
    std::vector<PartChecksum> parts;
    for (const auto& [start, size] :
         {std::pair<std::size_t, std::size_t>{0, 1}, {1, 65'536}, {65'537, 0}, {65'537, 34'466}}) {
      Checksum part(algorithm);
      part.update(as_view(std::string_view(text).substr(start, size)));
      parts.push_back({size, algorithm, part.finish()});
    }
    EXPECT_EQ(full_object_checksum(algorithm, parts), whole.finish()) << name_of(algorithm);
    parts[1].algorithm.reset();
    EXPECT_FALSE(full_object_checksum(algorithm, parts));
    EXPECT_FALSE(composite_checksum(algorithm, parts));
  }
  EXPECT_FALSE(full_object_checksum(ChecksumAlgorithm::sha256, {}));
}

TEST(Checksums, known_values) {
  const std::pair<ChecksumAlgorithm, const char*> known[] = {{ChecksumAlgorithm::crc32, "y/Q5Jg=="},
                                                             {ChecksumAlgorithm::crc32c, "4waSgw=="},
                                                             {ChecksumAlgorithm::crc64nvme, "rosUhgp5mIg="}};
  for (const auto& [algorithm, value] : known) {
    Checksum sum(algorithm);
    sum.update(as_view("12345"));
    sum.update(as_view("6789"));
    EXPECT_EQ(sum.finish(), value) << name_of(algorithm);
  }
}

TEST(Errors, every_code_of_the_system_has_a_meaning_here) {
  struct Row {
    Errc code;
    Subject subject;
    const char* name;
    unsigned status;
  };
  const Row rows[] = {
      {Errc::unavailable, Subject::object, "ServiceUnavailable", 503},
      {Errc::busy, Subject::object, "SlowDown", 503},
      {Errc::conflict, Subject::object, "SlowDown", 503},
      {Errc::key_unavailable, Subject::object, "ServiceUnavailable", 503},
      {Errc::timed_out, Subject::object, "ServiceUnavailable", 503},
      {Errc::not_leader, Subject::object, "ServiceUnavailable", 503},
      {Errc::stale, Subject::object, "ServiceUnavailable", 503},
      {Errc::cancelled, Subject::object, "ServiceUnavailable", 503},
      {Errc::fenced, Subject::object, "ServiceUnavailable", 503},
      {Errc::invalid_argument, Subject::object, "InvalidArgument", 400},
      {Errc::invalid_argument, Subject::bucket, "InvalidBucketName", 400},
      {Errc::invalid_argument, Subject::part, "InvalidPart", 400},
      {Errc::not_found, Subject::object, "NoSuchKey", 404},
      {Errc::not_found, Subject::bucket, "NoSuchBucket", 404},
      {Errc::not_found, Subject::upload, "NoSuchUpload", 404},
      {Errc::exists, Subject::bucket, "BucketAlreadyOwnedByYou", 409},
      {Errc::exists, Subject::object, "PreconditionFailed", 412},
      {Errc::precondition_failed, Subject::object, "PreconditionFailed", 412},
      {Errc::not_empty, Subject::bucket, "BucketNotEmpty", 409},
      {Errc::is_directory, Subject::object, "InvalidRequest", 400},
      {Errc::not_directory, Subject::object, "InvalidRequest", 400},
      {Errc::too_large, Subject::object, "EntityTooLarge", 400},
      {Errc::too_large, Subject::part, "EntityTooLarge", 400},
      {Errc::out_of_range, Subject::part, "EntityTooSmall", 400},
      {Errc::out_of_range, Subject::object, "InvalidRange", 416},
      {Errc::no_space, Subject::object, "InsufficientStorage", 507},
      {Errc::quota_exceeded, Subject::object, "QuotaExceeded", 403},
      {Errc::retained, Subject::object, "AccessDenied", 403},
      {Errc::corrupted, Subject::object, "InternalError", 500},
      {Errc::io_error, Subject::object, "InternalError", 500},
      {Errc::wrong_format, Subject::object, "InternalError", 500},
      {Errc::not_supported, Subject::object, "NotImplemented", 501},
      {Errc::would_block, Subject::object, "SlowDown", 503},
      {Errc::denied, Subject::object, "AccessDenied", 403},
  };
  for (const Row& row : rows) {
    const S3Error error = translate(Error(row.code, "words of the operator"), row.subject);
    EXPECT_EQ(describe(error.code).name, row.name) << name_of(row.code);
    EXPECT_EQ(describe(error.code).status, row.status) << name_of(row.code);
    EXPECT_EQ(error.words().find("operator"), std::string_view::npos);
    // What may succeed later is what clients try again.
    const bool retried = describe(error.code).status == 503;
    EXPECT_EQ(retried, class_of(row.code) == ErrorClass::retriable || row.code == Errc::fenced)
        << name_of(row.code);
  }
}

}  // namespace
}  // namespace kiseki::s3
