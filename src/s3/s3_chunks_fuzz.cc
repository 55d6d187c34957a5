#include "s3/fuzz_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  kiseki::s3::fuzz_chunks(std::as_bytes(std::span(data, size)));
  return 0;
}
