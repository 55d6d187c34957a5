#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace kiseki {

/// "ADDRESS:PORT" with a literal address; IPv6 in brackets.
struct Endpoint {
  std::string address;
  std::uint16_t port = 0;
  bool is_loopback = false;
};
Result<Endpoint> parse_endpoint(std::string_view text);

}  // namespace kiseki
