#pragma once

#include <string>
#include <string_view>

#include "base/assert.h"

namespace kiseki::crypto::detail {

/// Bytes of a constant in a test.
inline std::string from_hex(std::string_view text) {
  KISEKI_ASSERT(text.size() % 2 == 0);
  const auto digit = [](char c) {
    const auto place = std::string_view("0123456789abcdef").find(c);
    KISEKI_ASSERT(place != std::string_view::npos);
    return static_cast<unsigned>(place);
  };
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    bytes += static_cast<char>(digit(text[i]) * 16 + digit(text[i + 1]));
  }
  return bytes;
}

}  // namespace kiseki::crypto::detail
