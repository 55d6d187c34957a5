#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "shard/record.h"

/// What decodes has one encoding, the bytes it came from.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kiseki;
  const View bytes = std::as_bytes(std::span(data, size));
  if (const auto key = shard::Key::decode(bytes)) KISEKI_ASSERT(equal(as_view(key->encode()), bytes));
  if (const auto record = shard::Record::decode(bytes)) {
    KISEKI_ASSERT(equal(as_view(record->encode()), bytes));
  }
  if (const auto counters = shard::Counters::decode(bytes)) {
    KISEKI_ASSERT(equal(as_view(counters->encode()), bytes));
  }
  return 0;
}
