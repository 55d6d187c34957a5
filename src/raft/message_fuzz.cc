#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "raft/message_codec.h"

// Messages from hostile bytes. What is taken is written again as it was.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kiseki;
  const View bytes = std::as_bytes(std::span(data, size));
  const auto parsed = raft::parse_messages(bytes);
  if (parsed) KISEKI_ASSERT(raft::encode_messages(parsed->group, parsed->messages) == as_text(bytes));
  return 0;
}
