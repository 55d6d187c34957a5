#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/units.h"
#include "s3/error.h"
#include "s3/http_message.h"

// Conditional requests (RFC 9110 section 13) and ranges (section 14), decided without I/O.

namespace kiseki::s3 {

/// An ETag without its quotes.
std::string unquoted(std::string_view etag);

/// What a reader wants of an object before it is given.
struct ReadConditions {
  std::optional<std::string> if_match = {};
  std::optional<std::string> if_none_match = {};
  std::optional<std::int64_t> if_modified_since = {};    ///< Unix seconds.
  std::optional<std::int64_t> if_unmodified_since = {};  ///< Unix seconds.
};

/// Fields "if-match" and so on, or with a prefix ("x-amz-copy-source-"). An unreadable date is no condition
/// (RFC 9110 section 13.1.3).
ReadConditions read_conditions(const HttpHead& head, std::string_view prefix);

enum class ConditionResult : std::uint8_t { holds, not_modified, failed };

/// In the order of RFC 9110 section 13.2.2: a tag beats its date.
ConditionResult evaluate(const ReadConditions& conditions, std::string_view etag, std::int64_t modified);

/// The field that decided when `evaluate` answered `failed` or `not_modified`, as the API writes it.
std::string_view deciding_field(const ReadConditions& conditions, ConditionResult result) noexcept;

struct ByteRange {
  Bytes offset = 0;
  Bytes length = 0;
};

/// One "bytes=" range against an object's size. Nothing when there is no range, several, or one that is
/// malformed: the whole object is then the answer. `invalid_range` when it lies beyond the object.
S3Result<std::optional<ByteRange>> parse_range(std::string_view field, Bytes size);

/// "bytes=first-last", both given and inside the object; else `invalid_argument`.
S3Result<ByteRange> parse_copy_range(std::string_view field, Bytes size);

}  // namespace kiseki::s3
