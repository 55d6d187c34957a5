#include "admin_api/admin_client.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <boost/json.hpp>

#include "admin_api/socket_path.h"
#include "base/task.h"

namespace kiseki::admin_api {

namespace json = boost::json;

namespace {

void indent(const json::value& value, std::string& out, std::size_t depth);

template <class Items, class Print>
void indent_all(const Items& items, std::string& out, std::size_t depth, const char* brackets, Print print) {
  out += brackets[0];
  bool first = true;
  for (const auto& item : items) {
    out += first ? "\n" : ",\n";
    out.append(2 * (depth + 1), ' ');
    print(item);
    first = false;
  }
  if (!first) out.append("\n").append(2 * depth, ' ');
  out += brackets[1];
}

void indent(const json::value& value, std::string& out, std::size_t depth) {
  if (const auto* object = value.if_object()) {
    indent_all(*object, out, depth, "{}", [&](const json::key_value_pair& pair) {
      out += json::serialize(pair.key()) + ": ";
      indent(pair.value(), out, depth + 1);
    });
  } else if (const auto* array = value.if_array()) {
    indent_all(*array, out, depth, "[]", [&](const json::value& item) { indent(item, out, depth + 1); });
  } else {
    out += json::serialize(value);
  }
}

Errc code_named(std::string_view name) {
  for (int value = 1; value <= 255; ++value) {
    const auto code = static_cast<Errc>(value);
    if (name_of(code) == name) return code;
  }
  return Errc::io_error;
}

Result<std::string> read_reply(std::string_view line) {
  boost::system::error_code error;
  const json::value value = json::parse(line, error);
  const auto* reply = error ? nullptr : value.if_object();
  const auto* ok = reply == nullptr ? nullptr : reply->if_contains("ok");
  if (ok == nullptr || !ok->is_bool()) return fail(Errc::io_error, "the node's answer cannot be read");
  if (const auto* result = reply->if_contains("result"); ok->as_bool() && result != nullptr) {
    std::string text;
    indent(*result, text, 0);
    return text;
  }
  const auto *code = reply->if_contains("code"), *words = reply->if_contains("words");
  if (code == nullptr || words == nullptr || !code->is_string() || !words->is_string()) {
    return fail(Errc::io_error, "the node's answer cannot be read");
  }
  return fail(code_named(code->as_string()), std::string(std::string_view(words->as_string())));
}

}  // namespace

Result<std::string> ask(const std::filesystem::path& directory, const Request& request) {
  auto path = SocketPath::open(directory);
  if (!path) return fail(std::move(path).error());
  asio::io_context loop;
  asio::local::stream_protocol::socket socket(loop);
  boost::system::error_code error;
  socket.connect(asio::local::stream_protocol::endpoint(path->text()), error);
  if (error) {
    const Errc code = error == boost::system::errc::permission_denied ? Errc::denied : Errc::unavailable;
    return fail(code, fmt::format("no node answers in {}: {}", directory.string(), error.message()));
  }
  asio::write(socket, asio::buffer(format_request(request)), error);
  std::string line;
  if (!error) asio::read_until(socket, asio::dynamic_buffer(line), '\n', error);
  if (error) return fail(Errc::unavailable, "the node closed the connection: " + error.message());
  return read_reply(line);
}

}  // namespace kiseki::admin_api
