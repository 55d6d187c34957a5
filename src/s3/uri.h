#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiseki::s3 {

/// What stays as it is when a text is percent-encoded: letters, digits, `-._~`, and '/' if asked.
enum class Slash : std::uint8_t { encoded, kept };

/// Percent-encoding as SigV4 has it: uppercase hex, blank as %20.
std::string uri_encode(std::string_view text, Slash slash);

/// Nothing when an escape is broken.
std::optional<std::string> percent_decode(std::string_view text);

/// Bytes of the UTF-8 sequence at the start of a text (RFC 3629: no overlong form, no surrogate, nothing
/// above U+10FFFF); 0 when there is none.
std::size_t utf8_length(std::string_view text) noexcept;
bool is_utf8(std::string_view text) noexcept;

struct QueryParameter {
  std::string name;
  std::string value;
};

/// The query of a request, decoded, in the order sent. '+' stands for a blank.
class Query {
 public:
  Query() = default;
  /// Nothing when an escape is broken.
  static std::optional<Query> parse(std::string_view raw);

  const std::vector<QueryParameter>& all() const noexcept { return all_; }
  const std::string* find(std::string_view name) const noexcept;
  bool has(std::string_view name) const noexcept { return find(name) != nullptr; }
  /// Empty when there is none.
  std::string_view get(std::string_view name) const noexcept;

 private:
  std::vector<QueryParameter> all_;
};

/// A request target, taken apart.
struct Target {
  std::string path;  ///< Decoded; starts with '/'.
  Query query;
};

/// Of a target in origin form or absolute form (RFC 9112 section 3.2). Nothing when it is neither, an escape
/// is broken, or the path is not UTF-8 or holds a NUL.
std::optional<Target> parse_target(std::string_view raw);

}  // namespace kiseki::s3
