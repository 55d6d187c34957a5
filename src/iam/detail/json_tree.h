#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kiseki::iam::detail {

/// A JSON value as it was written: numbers keep their digits, members their order.
struct JsonValue {
  enum class Type : std::uint8_t { null, boolean, number, string, array, object };

  Type type = Type::null;
  std::string text;                ///< Of strings, numbers and booleans.
  std::vector<JsonValue> items;    ///< Of arrays; of objects, in the order of `names`.
  std::vector<std::string> names;  ///< Of objects.

  bool is_text() const noexcept { return type == Type::string; }
  bool is_object() const noexcept { return type == Type::object; }
  bool is_array() const noexcept { return type == Type::array; }
  /// Nothing: no such member.
  const JsonValue* find(std::string_view name) const noexcept;
};

/// Exactly one value, in UTF-8, nested at most 8 deep. `invalid_argument`, with the place: no JSON; a name
/// that stands twice in one object, of which readers might choose different ones.
Result<JsonValue> parse_json(std::string_view text);

}  // namespace kiseki::iam::detail
