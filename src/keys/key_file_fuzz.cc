#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "keys/detail/key_image.h"

/// Damaged files are refused; accepted ones are the only way to write what they say.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const kiseki::View bytes = std::as_bytes(std::span(data, size));
  const auto parsed = kiseki::keys::detail::KeyImage::parse(bytes);
  if (parsed) KISEKI_ASSERT(kiseki::equal(kiseki::as_view(parsed->encode().text()), bytes));
  return 0;
}
