#include "admin_api/request.h"

#include <boost/json.hpp>

namespace kiseki::admin_api {

namespace json = boost::json;

namespace {

constexpr std::size_t argument_max = 1024, document_max = 16'384;

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
  static constexpr const char* name = "key.create";  // its arguments are read apart
};
template <>
struct Shape<RemoveKey> {
  static constexpr const char *name = "key.remove", *argument = "id";
  static constexpr auto member = &RemoveKey::id;
};
template <>
struct Shape<DisableKey> {
  static constexpr const char *name = "key.disable", *argument = "id";
  static constexpr auto member = &DisableKey::id;
};
template <>
struct Shape<EnableKey> {
  static constexpr const char *name = "key.enable", *argument = "id";
  static constexpr auto member = &EnableKey::id;
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

constexpr std::size_t limits_max = 64;
constexpr std::uint64_t expiry_max = std::uint64_t{100} * 366 * 24 * 3600;  // a century

std::optional<std::string> read_text(const json::value& value, std::size_t size_max) {
  if (!value.is_string() || value.as_string().size() > size_max) return std::nullopt;
  return std::string(value.as_string());
}

/// All its arguments may stay out.
template <>
Result<Request> read_as<CreateKey>(const json::object& object) {
  CreateKey command;
  bool good = true;
  for (const auto& [name, value] : object) {
    if (name == "user") {
      const auto user = read_text(value, argument_max);
      good = good && user;
      if (user) command.user = *user;
    } else if (name == "expires_seconds") {
      good = good && value.is_int64() && value.as_int64() > 0 &&
             static_cast<std::uint64_t>(value.as_int64()) <= expiry_max;
      if (good) command.expires_seconds = static_cast<std::uint64_t>(value.as_int64());
    } else if (name == "limits") {
      good = good && value.is_array() && value.as_array().size() <= limits_max;
      for (std::size_t i = 0; good && i < value.as_array().size(); ++i) {
        const auto limit = read_text(value.as_array()[i], argument_max);
        good = limit.has_value();
        if (limit) command.limits.push_back(*limit);
      }
    } else {
      good = good && name == "command";
    }
  }
  if (good) return command;
  return fail(Errc::invalid_argument,
              "key.create takes \"user\", \"expires_seconds\" and \"limits\", a list of strings");
}

/// Nothing: no command of accounts has that name.
std::optional<Result<Request>> read_account(std::string_view name, const json::object& object) {
  for (const AccountCommand& command : account_commands()) {
    if (command.name != name) continue;
    AccountRequest request{.verb = command.verb, .type = command.type};
    bool good = object.size() == command.fields.size() + 1;
    for (const auto& [field, member] : command.fields) {
      const json::value* value = object.if_contains(field);
      const auto text = value == nullptr ? std::nullopt : read_text(*value, document_max);
      good = good && text;
      if (text) request.*member = *text;
    }
    if (good) return Result<Request>(std::move(request));
    std::string fields;
    for (const auto& field : command.fields) fields += fmt::format(" \"{}\"", field.name);
    return fail(Errc::invalid_argument,
                fmt::format("{} takes{} alone, strings", name, fields.empty() ? " nothing" : fields));
  }
  return std::nullopt;
}

/// Tries the alternatives of `Request` in turn.
template <std::size_t I = 0>
Result<Request> read_named(std::string_view name, const json::object& object) {
  if constexpr (I == std::variant_size_v<Request>) {
    return fail(Errc::invalid_argument, "unknown command");
  } else {
    using Command = std::variant_alternative_t<I, Request>;
    if constexpr (std::is_same_v<Command, AccountRequest>) {
      return read_named<I + 1>(name, object);
    } else {
      return name == Shape<Command>::name ? read_as<Command>(object) : read_named<I + 1>(name, object);
    }
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
  const std::string_view name = command->as_string();
  if (auto account = read_account(name, value.as_object())) return *std::move(account);
  return read_named(name, value.as_object());
}

namespace {

template <class Command>
void write(json::object& object, const Command& command) {
  object["command"] = Shape<Command>::name;
  if constexpr (std::is_same_v<Command, CreateKey>) {
    if (!command.user.empty()) object["user"] = command.user;
    if (command.expires_seconds != 0) object["expires_seconds"] = command.expires_seconds;
    if (!command.limits.empty()) object["limits"] = json::array(command.limits.begin(), command.limits.end());
  } else if constexpr (Shape<Command>::argument != nullptr) {
    object[Shape<Command>::argument] = command.*Shape<Command>::member;
  }
}

void write(json::object& object, const AccountRequest& request) {
  for (const AccountCommand& command : account_commands()) {
    if (command.verb != request.verb || command.type != request.type) continue;
    object["command"] = command.name;
    for (const auto& [field, member] : command.fields) object[field] = request.*member;
  }
}

}  // namespace

std::string format_request(const Request& request) {
  json::object object;
  std::visit([&object](const auto& command) { write(object, command); }, request);
  return json::serialize(object) + "\n";
}

}  // namespace kiseki::admin_api
