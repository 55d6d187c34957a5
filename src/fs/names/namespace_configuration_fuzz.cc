#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "fs/configuration.h"

/// What is accepted has one encoding.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const kiseki::View bytes = std::as_bytes(std::span(data, size));
  const auto decoded = kiseki::fs::Configuration::decode(bytes);
  if (decoded) KISEKI_ASSERT(kiseki::equal(kiseki::as_view(decoded->encode()), bytes));
  return 0;
}
