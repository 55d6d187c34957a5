#include "admin_api/request.h"

#include <boost/json.hpp>

namespace kiseki::admin_api {

namespace json = boost::json;

namespace {

constexpr std::size_t argument_max = 1024;

template <class Command>
struct Shape;  // name on the wire, and the one argument it takes or nullptr

template <>
struct Shape<Status> {
  static constexpr const char *name = "status", *argument = nullptr;
};
template <>
struct Shape<ListKeys> {
  static constexpr const char *name = "key.list", *argument = nullptr;
};
template <>
struct Shape<CreateKey> {
  static constexpr const char *name = "key.create", *argument = nullptr;
};
template <>
struct Shape<RemoveKey> {
  static constexpr const char *name = "key.remove", *argument = "id";
  static constexpr auto member = &RemoveKey::id;
};
template <>
struct Shape<ListBuckets> {
  static constexpr const char *name = "bucket.list", *argument = nullptr;
};
template <>
struct Shape<CreateBucket> {
  static constexpr const char *name = "bucket.create", *argument = "name";
  static constexpr auto member = &CreateBucket::name;
};
template <>
struct Shape<RemoveBucket> {
  static constexpr const char *name = "bucket.remove", *argument = "name";
  static constexpr auto member = &RemoveBucket::name;
};

template <class Command>
Result<Request> read_as(const json::object& object) {
  Command command;
  if constexpr (Shape<Command>::argument == nullptr) {
    if (object.size() != 1) {
      return fail(Errc::invalid_argument, fmt::format("{} takes no argument", Shape<Command>::name));
    }
  } else {
    const json::value* value = object.if_contains(Shape<Command>::argument);
    if (object.size() != 2 || value == nullptr || !value->is_string() || value->as_string().empty() ||
        value->as_string().size() > argument_max) {
      return fail(Errc::invalid_argument,
                  fmt::format("{} takes \"{}\" alone, a string of 1 to {} bytes", Shape<Command>::name,
                              Shape<Command>::argument, argument_max));
    }
    const std::string_view text = value->as_string();
    command.*Shape<Command>::member = std::string(text);
  }
  return command;
}

/// Tries the alternatives of `Request` in turn.
template <std::size_t I = 0>
Result<Request> read_named(std::string_view name, const json::object& object) {
  if constexpr (I == std::variant_size_v<Request>) {
    return fail(Errc::invalid_argument, "unknown command");
  } else {
    using Command = std::variant_alternative_t<I, Request>;
    return name == Shape<Command>::name ? read_as<Command>(object) : read_named<I + 1>(name, object);
  }
}

}  // namespace

Result<Request> parse_request(std::string_view line) {
  boost::system::error_code error;
  json::monotonic_resource memory;
  const json::value value = json::parse(line, error, &memory);
  if (error || !value.is_object()) return fail(Errc::invalid_argument, "the request is not a JSON object");
  const json::value* command = value.as_object().if_contains("command");
  if (command == nullptr || !command->is_string()) {
    return fail(Errc::invalid_argument, "the request has no \"command\"");
  }
  return read_named(command->as_string(), value.as_object());
}

std::string format_request(const Request& request) {
  json::object object;
  std::visit(
      [&object]<class Command>(const Command& command) {
        object["command"] = Shape<Command>::name;
        if constexpr (Shape<Command>::argument != nullptr) {
          object[Shape<Command>::argument] = command.*Shape<Command>::member;
        }
      },
      request);
  return json::serialize(object) + "\n";
}

}  // namespace kiseki::admin_api
