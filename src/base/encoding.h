#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>

#include "base/buffer.h"

// Bytes as text and back.

namespace kiseki {

/// What `to_hex` (buffer.h) writes, in digits of either case; nothing unless they are pairs.
std::optional<std::string> hex_decode(std::string_view text);

/// RFC 4648 section 4: standard alphabet with padding.
std::string base64_encode(View bytes);
/// Nothing when it is not exactly that.
std::optional<std::string> base64_decode(std::string_view text);

/// Without the `blanks` around it; as they stand, the optional white space of RFC 9110 section 5.6.3.
std::string_view trimmed(std::string_view text, std::string_view blanks = " \t") noexcept;

/// A number that is the whole text; nothing when it is none or does not fit.
template <std::integral Number>
std::optional<Number> parse_decimal(std::string_view text) noexcept {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace kiseki
