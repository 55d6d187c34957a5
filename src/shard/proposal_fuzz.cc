#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "shard/proposal.h"
#include "shard/rows/prepared.h"

/// What decodes can be written again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kiseki;
  using namespace kiseki::shard;
  using namespace kiseki::shard::detail;
  const View bytes = std::as_bytes(std::span(data, size));
  if (const auto proposal = Proposal::decode(bytes)) {
    KISEKI_ASSERT(Proposal::decode(as_view(proposal->encode())).has_value());
  }
  if (const auto intent = Intent::decode(bytes)) {
    KISEKI_ASSERT(Intent::decode(as_view(intent->encode())).has_value());
  }
  if (const auto prepared = Prepared::decode(bytes)) {
    KISEKI_ASSERT(Prepared::decode(as_view(prepared->encode())).has_value());
  }
  return 0;
}
