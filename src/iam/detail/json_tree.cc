#include "iam/detail/json_tree.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/src.hpp>  // its definitions, compiled here once

namespace kiseki::iam::detail {

namespace {

namespace json = boost::json;
using json::error_code;

constexpr std::size_t depth_max = 8;

/// Builds the tree from the parser's events.
class Builder {
 public:
  static constexpr std::size_t max_object_size = 1024;
  static constexpr std::size_t max_array_size = 4096;
  static constexpr std::size_t max_key_size = 4096;
  static constexpr std::size_t max_string_size = 64 * 1024;

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return open(JsonValue::Type::object); }
  bool on_array_begin(error_code&) { return open(JsonValue::Type::array); }
  bool on_object_end(std::size_t, error_code& error) { return close(error); }
  bool on_array_end(std::size_t, error_code& error) { return close(error); }

  bool on_key_part(std::string_view part, std::size_t, error_code&) { return append(part); }
  bool on_key(std::string_view part, std::size_t, error_code& error) {
    append(part);
    auto& names = open_.back().names;
    if (std::ranges::find(names, text_) != names.end()) {
      repeated_ = text_;
      return refuse(error);
    }
    names.push_back(std::exchange(text_, {}));
    return true;
  }
  bool on_string_part(std::string_view part, std::size_t, error_code&) { return append(part); }
  bool on_string(std::string_view part, std::size_t, error_code& error) {
    append(part);
    return add_text(JsonValue::Type::string, error);
  }
  bool on_number_part(std::string_view part, error_code&) { return append(part); }
  bool on_int64(std::int64_t, std::string_view part, error_code& error) { return add_number(part, error); }
  bool on_uint64(std::uint64_t, std::string_view part, error_code& error) { return add_number(part, error); }
  bool on_double(double, std::string_view part, error_code& error) { return add_number(part, error); }
  bool on_bool(bool value, error_code& error) {
    append(value ? "true" : "false");
    return add_text(JsonValue::Type::boolean, error);
  }
  bool on_null(error_code& error) { return add_text(JsonValue::Type::null, error); }
  bool on_comment_part(std::string_view, error_code&) { return true; }
  bool on_comment(std::string_view, error_code&) { return true; }

  JsonValue take() { return std::move(root_); }
  const std::string& repeated() const noexcept { return repeated_; }

 private:
  static bool refuse(error_code& error) {
    error = json::error::syntax;
    return false;
  }

  bool append(std::string_view part) {
    text_ += part;
    return true;
  }

  bool add_number(std::string_view part, error_code& error) {
    append(part);
    return add_text(JsonValue::Type::number, error);
  }

  bool add_text(JsonValue::Type type, error_code& error) {
    JsonValue value;
    value.type = type;
    value.text = std::exchange(text_, {});
    return add(std::move(value), error);
  }

  bool add(JsonValue value, error_code&) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else {
      open_.back().items.push_back(std::move(value));
    }
    return true;
  }

  bool open(JsonValue::Type type) {
    open_.emplace_back().type = type;
    return true;
  }

  bool close(error_code& error) {
    JsonValue value = std::move(open_.back());
    open_.pop_back();
    return add(std::move(value), error);
  }

  std::vector<JsonValue> open_;  // from the root inwards
  std::string text_;
  std::string repeated_;
  JsonValue root_;
};

}  // namespace

const JsonValue* JsonValue::find(std::string_view name) const noexcept {
  const auto found = std::ranges::find(names, name);
  return found == names.end() ? nullptr : &items[static_cast<std::size_t>(found - names.begin())];
}

Result<JsonValue> parse_json(std::string_view text) {
  json::parse_options options;
  options.max_depth = depth_max;
  json::basic_parser<Builder> parser(options);
  error_code error;
  const std::size_t read = parser.write_some(false, text.data(), text.size(), error);
  if (!parser.handler().repeated().empty())
    return fail(Errc::invalid_argument, fmt::format("\"{}\" stands twice", parser.handler().repeated()));
  if (error)
    return fail(Errc::invalid_argument, fmt::format("no JSON at byte {}: {}", read, error.message()));
  if (read != text.size())
    return fail(Errc::invalid_argument, fmt::format("something follows the JSON at byte {}", read));
  return parser.handler().take();
}

}  // namespace kiseki::iam::detail
