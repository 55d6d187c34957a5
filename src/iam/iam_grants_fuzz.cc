#include <cstdint>

#include "iam/testing/fuzz_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  kiseki::iam::fuzz_grants({reinterpret_cast<const char*>(data), size});
  return 0;
}
