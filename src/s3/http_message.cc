#include "s3/http_message.h"

#include "base/assert.h"

namespace kiseki::s3 {

namespace {

char to_lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, {}, to_lower, to_lower);
}

bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

}  // namespace

std::optional<std::string_view> HttpHead::find(std::string_view name) const noexcept {
  const auto found = std::ranges::find(fields_, name, &HttpField::name);
  if (found == fields_.end()) return std::nullopt;
  return found->value;
}

void HttpHead::clear(std::size_t bytes_max) {
  storage_.clear();
  storage_.reserve(bytes_max);
  method_ = target_ = {};
  fields_.clear();
  content_length_.reset();
  chunked_ = keep_alive_ = expects_continue_ = false;
}

std::string_view HttpHead::store(std::string_view text) {
  KISEKI_ASSERT(storage_.capacity() - storage_.size() >= text.size());
  const std::size_t start = storage_.size();
  storage_.append(text);
  return std::string_view(storage_).substr(start);
}

void HttpHead::set_request_line(std::string_view method, std::string_view target) {
  method_ = store(method);
  target_ = store(target);
}

void HttpHead::add_field(std::string_view name, std::string_view value) {
  const std::size_t start = storage_.size();
  const std::string_view stored = store(name);
  std::ranges::transform(stored, storage_.begin() + static_cast<std::ptrdiff_t>(start), to_lower);
  fields_.push_back({stored, store(value)});
  if (stored == "expect" && equal_ignoring_case(value, "100-continue")) expects_continue_ = true;
}

void HttpHead::set_framing(std::optional<Bytes> content_length, bool chunked, bool keep_alive) {
  content_length_ = content_length;
  chunked_ = chunked;
  keep_alive_ = keep_alive;
}

HttpResponse& HttpResponse::add(std::string_view name, std::string_view value) {
  fields_.append(name).append(": ");
  const std::size_t start = fields_.size();
  fields_.append(value);
  std::replace_if(fields_.begin() + static_cast<std::ptrdiff_t>(start), fields_.end(), is_control, ' ');
  fields_.append("\r\n");
  return *this;
}

HttpResponse& HttpResponse::set_length(Bytes length) {
  length_ = length;
  return *this;
}

HttpResponse& HttpResponse::set_close() {
  close_ = true;
  return *this;
}

std::string_view reason_phrase(unsigned status) noexcept {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 414:
      return "URI Too Long";
    case 416:
      return "Range Not Satisfiable";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "Unknown";
  }
}

}  // namespace kiseki::s3
