#include "s3/access_log.h"

#include <fmt/format.h>

#include "s3/time_format.h"

namespace kiseki::s3 {

namespace {

void append_text(std::string& out, std::string_view name, std::string_view text) {
  fmt::format_to(std::back_inserter(out), ",\"{}\":\"", name);
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

std::int64_t microseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

}  // namespace

std::string access_line(const AccessRecord& record) {
  const auto since_epoch = record.time.time_since_epoch();
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count();
  std::string line = fmt::format("{{\"time\":\"{}\"", iso_time(static_cast<std::uint64_t>(milliseconds)));
  append_text(line, "request", record.request_id);
  append_text(line, "key", record.key_id);
  append_text(line, "operation", record.operation);
  append_text(line, "bucket", record.bucket);
  fmt::format_to(
      std::back_inserter(line),
      ",\"status\":{},\"bytes_in\":{},\"bytes_out\":{},\"first_byte_us\":{},\"last_byte_us\":{}}}\n",
      record.status, record.received, record.sent, microseconds(record.first_byte),
      microseconds(record.last_byte));
  return line;
}

}  // namespace kiseki::s3
