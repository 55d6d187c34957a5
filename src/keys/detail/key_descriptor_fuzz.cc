#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "keys/detail/key_descriptor.h"

/// Hostile bytes are refused; accepted ones are the only way to write what they say.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const kiseki::View bytes = std::as_bytes(std::span(data, size));
  const auto parsed = kiseki::keys::detail::KeyDescriptor::parse(bytes);
  if (parsed) KISEKI_ASSERT(kiseki::equal(kiseki::as_view(parsed->encode()), bytes));
  return 0;
}
