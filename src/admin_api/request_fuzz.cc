#include <cstdint>

#include "admin_api/request.h"
#include "base/assert.h"

// What parses is written back as a line that parses to the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto request = kiseki::admin_api::parse_request({reinterpret_cast<const char*>(data), size});
  if (request) {
    std::string line = format_request(*request);
    line.pop_back();
    const auto again = kiseki::admin_api::parse_request(line);
    KISEKI_ASSERT(again && *again == *request);
  }
  return 0;
}
