#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

// Times as HTTP, SigV4 and S3's documents write them; all in UTC.

namespace kiseki::s3 {

/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7).
std::string http_date(std::int64_t unix_seconds);
/// The three forms of RFC 9110 section 5.6.7, in Unix seconds.
std::optional<std::int64_t> parse_http_date(std::string_view text);

/// "20130524T000000Z".
std::string compact_time(std::int64_t unix_seconds);
std::optional<std::int64_t> parse_compact_time(std::string_view text);

/// "2009-10-12T17:50:30.000Z".
std::string iso_time(std::uint64_t unix_milliseconds);

/// The same of many times that lie close together: a minute is worked out once.
class IsoTimes {
 public:
  /// Until the next call.
  std::string_view of(std::uint64_t unix_milliseconds);

 private:
  std::optional<std::uint64_t> minute_;
  std::string text_;
};

inline std::int64_t unix_seconds(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}

}  // namespace kiseki::s3
