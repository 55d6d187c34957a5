#pragma once

#include "base/buffer.h"
#include "s3/http_message.h"

namespace kiseki::s3 {

/// Limits of a request head.
inline constexpr std::size_t http_line_max = 8_KiB;
/// A key of 8 KiB with every byte encoded, and a query: a key that is too long is refused as what it is.
inline constexpr std::size_t http_target_max = 32_KiB;
inline constexpr std::size_t http_head_max = 64_KiB;

enum class HeadFault : std::uint8_t {
  none,
  malformed,
  too_large,            ///< A field, the target or the whole above its limit.
  unsupported_version,  ///< Not HTTP/1.0 or HTTP/1.1.
  unsupported_coding,   ///< A Transfer-Encoding other than exactly "chunked".
};

/// Parses `bytes`, one whole head including its empty line, into `head` (RFC 9112). A head that frames its
/// body in two ways, names two hosts or folds a field over lines is malformed.
HeadFault parse_head(View bytes, HttpHead& head);

}  // namespace kiseki::s3
