#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "shard/wire.h"

/// What decodes can be written again, and is the same then.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kiseki;
  const View bytes = std::as_bytes(std::span(data, size));
  if (const auto call = shard::decode_call(bytes)) {
    const std::string again = shard::encode(*call);
    KISEKI_ASSERT(shard::encode(shard::decode_call(as_view(again)).value()) == again);
  }
  if (const auto reply = shard::decode_reply(bytes)) {
    const std::string again = shard::encode(reply);
    KISEKI_ASSERT(shard::encode(shard::decode_reply(as_view(again))) == again);
  }
  return 0;
}
