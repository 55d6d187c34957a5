#include <gtest/gtest.h>

#include "base/rng.h"
#include "s3/fuzz_targets.h"

// The fuzzers' seeds, each also cut short everywhere and with single bytes changed.

namespace kiseki::s3 {
namespace {

void replay(void (*target)(View), const std::string& seed) {
  target(as_view(seed));
  SeededRng rng(seed.size());
  for (std::size_t i = 0; i < seed.size(); ++i) {
    target(as_view(std::string_view(seed).substr(0, i)));
    std::string changed = seed;
    changed[i] = static_cast<char>(rng.next());
    target(as_view(changed));
  }
}

TEST(FuzzSeeds, heads) {
  replay(fuzz_head,
         "PUT /bucket/a%2Fb?partNumber=1&uploadId=x HTTP/1.1\r\nHost: b.example.org:80\r\nx-amz-date: "
         "20130524T000000Z\r\n"
         "Authorization: AWS4-HMAC-SHA256 Credential=AK/20130524/us-east-1/s3/aws4_request, "
         "SignedHeaders=host;x-amz-date, "
         "Signature=ab\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\nIf-Match: \"a\", "
         "W/\"b\"\r\nContent-Length: 3\r\n\r\n");
  replay(
      fuzz_head,
      "GET "
      "/b/"
      "k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK%2F20130524%2Fr%2Fs3%2Faws4_request&X-Amz-Date="
      "20130524T000000Z&X-Amz-Expires=10&X-Amz-SignedHeaders=host&X-Amz-Signature=a HTTP/1.1\r\nHost: "
      "h\r\n\r\n");
}

TEST(FuzzSeeds, chunks) {
  replay(fuzz_chunks,
         "\x02"
         "a;chunk-signature=00\r\n0123456789\r\n0;chunk-signature=01\r\nx-amz-checksum-crc32:AA==\r\n\r\n");
}

TEST(FuzzSeeds, documents) {
  replay(fuzz_xml,
         "<?xml version=\"1.0\"?><Delete "
         "xmlns=\"u\"><Quiet>true</Quiet><Object><Key>a&#x41;&amp;</Key></Object></Delete>");
  replay(fuzz_xml,
         "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"ab\"</ETag></Part></"
         "CompleteMultipartUpload>");
}

TEST(FuzzSeeds, ranges) {
  for (const char* seed : {"bytes=0-9", "bytes=-18446744073709551615", "bytes=18446744073709551614-",
                           "Sun, 06 Nov 1994 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "20130524T000000Z"}) {
    replay(fuzz_range, seed);
  }
}

}  // namespace
}  // namespace kiseki::s3
