#pragma once

#include "base/buffer.h"
#include "s3/http_message.h"

namespace kiseki::s3 {

/// Limits of a request head.
inline constexpr std::size_t http_line_max = 8_KiB;
inline constexpr std::size_t http_head_max = 64_KiB;

enum class HeadFault : std::uint8_t {
  none,
  malformed,
  too_large,            ///< A line above `http_line_max`, or the whole above `http_head_max`.
  unsupported_version,  ///< Not HTTP/1.0 or HTTP/1.1.
  unsupported_coding,   ///< A Transfer-Encoding other than exactly "chunked".
};

/// Parses `bytes`, one whole head including its empty line, into `head` (RFC 9112). A head that frames its
/// body in two ways, names two hosts or folds a field over lines is malformed.
HeadFault parse_head(View bytes, HttpHead& head);

}  // namespace kiseki::s3
