#include "s3/conditions.h"

#include <fmt/format.h>

#include "base/encoding.h"
#include "s3/time_format.h"

namespace kiseki::s3 {

namespace {

enum class Comparison : std::uint8_t { strong, weak };

/// Whether a list of entity tags names this one; our tags hold no comma and no quote.
bool names(std::string_view list, std::string_view etag, Comparison comparison) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    std::string_view one = trimmed(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
    if (one == "*") return true;
    const bool weak = one.starts_with("W/");
    if (weak) one.remove_prefix(2);
    if ((!weak || comparison == Comparison::weak) && unquoted(one) == etag) return true;
  }
  return false;
}

std::optional<std::int64_t> date_field(const HttpHead& head, const std::string& name) {
  const auto field = head.find(name);
  return field ? parse_http_date(*field) : std::nullopt;
}

std::optional<std::string> text_field(const HttpHead& head, const std::string& name) {
  const auto field = head.find(name);
  return field ? std::optional<std::string>(*field) : std::nullopt;
}

struct Bounds {
  std::optional<Bytes> first;
  std::optional<Bytes> last;
};

/// "bytes=first-last", either of them absent; nothing when it is not that.
std::optional<Bounds> parse_bounds(std::string_view field) {
  constexpr std::string_view unit = "bytes=";
  if (!field.starts_with(unit)) return std::nullopt;
  field = trimmed(field.substr(unit.size()));
  const std::size_t dash = field.find('-');
  if (dash == field.npos) return std::nullopt;
  const std::string_view first = trimmed(field.substr(0, dash));
  const std::string_view last = trimmed(field.substr(dash + 1));
  const Bounds bounds{parse_decimal<Bytes>(first), parse_decimal<Bytes>(last)};
  const bool readable = (first.empty() || bounds.first) && (last.empty() || bounds.last);
  if (!readable || (!bounds.first && !bounds.last)) return std::nullopt;
  if (bounds.first && bounds.last && *bounds.first > *bounds.last) return std::nullopt;
  return bounds;
}

}  // namespace

std::string unquoted(std::string_view etag) {
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
  return std::string(etag);
}

ReadConditions read_conditions(const HttpHead& head, std::string_view prefix) {
  const std::string start(prefix);
  return {.if_match = text_field(head, start + "if-match"),
          .if_none_match = text_field(head, start + "if-none-match"),
          .if_modified_since = date_field(head, start + "if-modified-since"),
          .if_unmodified_since = date_field(head, start + "if-unmodified-since")};
}

ConditionResult evaluate(const ReadConditions& conditions, std::string_view etag, std::int64_t modified) {
  if (conditions.if_match) {
    if (!names(*conditions.if_match, etag, Comparison::strong)) return ConditionResult::failed;
  } else if (conditions.if_unmodified_since && modified > *conditions.if_unmodified_since) {
    return ConditionResult::failed;
  }
  if (conditions.if_none_match) {
    if (names(*conditions.if_none_match, etag, Comparison::weak)) return ConditionResult::not_modified;
  } else if (conditions.if_modified_since && modified <= *conditions.if_modified_since) {
    return ConditionResult::not_modified;
  }
  return ConditionResult::holds;
}

std::string_view deciding_field(const ReadConditions& conditions, ConditionResult result) noexcept {
  if (result == ConditionResult::failed) return conditions.if_match ? "If-Match" : "If-Unmodified-Since";
  return conditions.if_none_match ? "If-None-Match" : "If-Modified-Since";
}

S3Result<std::optional<ByteRange>> parse_range(std::string_view field, Bytes size) {
  const auto bounds = parse_bounds(field);
  if (!bounds) return std::optional<ByteRange>();
  if (!bounds->first) {
    const Bytes length = std::min(*bounds->last, size);
    if (length == 0) return refuse(S3Code::invalid_range);
    return ByteRange{size - length, length};
  }
  if (*bounds->first >= size) return refuse(S3Code::invalid_range);
  const Bytes last = std::min(bounds->last.value_or(size - 1), size - 1);
  return ByteRange{*bounds->first, last - *bounds->first + 1};
}

S3Result<ByteRange> parse_copy_range(std::string_view field, Bytes size) {
  constexpr std::string_view name = "x-amz-copy-source-range";
  const auto bounds = parse_bounds(field);
  if (!bounds || !bounds->first || !bounds->last) {
    return refuse(bad_argument(
        name, field,
        "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are "
        "the zero-based offsets of the first and last bytes to copy."));
  }
  if (*bounds->last >= size) {
    return refuse(bad_argument(
        name, field, fmt::format("Range specified is not valid for source object of size: {}.", size)));
  }
  return ByteRange{*bounds->first, *bounds->last - *bounds->first + 1};
}

}  // namespace kiseki::s3
