#include "s3/http_parser.h"

#include <boost/beast/http/basic_parser.hpp>

namespace kiseki::s3 {

namespace {

namespace http = boost::beast::http;
using boost::beast::string_view;
using boost::system::error_code;

std::string_view to_std(string_view text) { return {text.data(), text.size()}; }

/// Takes the request line and the fields from Beast; the body is read without it.
class HeadParser final : public http::basic_parser<true> {
 public:
  explicit HeadParser(HttpHead& head) : head_(head) { header_limit(http_head_max + 1); }

  HeadFault fault() const noexcept { return fault_; }

 private:
  void on_request_impl(http::verb, string_view method, string_view target, int, error_code& error) override {
    if (target.size() > http_target_max) return refuse(HeadFault::too_large, error);
    head_.set_request_line(to_std(method), to_std(target));
  }

  void on_field_impl(http::field field, string_view name, string_view value, error_code& error) override {
    if (name.size() + value.size() > http_line_max) return refuse(HeadFault::too_large, error);
    if (field == http::field::transfer_encoding && !boost::beast::iequals(value, "chunked")) {
      return refuse(HeadFault::unsupported_coding, error);
    }
    if (field == http::field::host && head_.find("host")) return refuse(HeadFault::malformed, error);
    head_.add_field(to_std(name), to_std(value));
  }

  void refuse(HeadFault fault, error_code& error) {
    fault_ = fault;
    error = http::error::bad_value;
  }

  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view body, error_code&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code&) override {
    return body.size();
  }
  void on_finish_impl(error_code&) override {}

  HttpHead& head_;
  HeadFault fault_ = HeadFault::malformed;
};

/// A line that begins with white space would go on the field before it (RFC 9112 section 5.2): readers have
/// disagreed on what such a field says.
bool has_folded_field(View bytes) {
  const std::string_view text = as_text(bytes);
  return text.find("\r\n ") != text.npos || text.find("\r\n\t") != text.npos;
}

}  // namespace

HeadFault parse_head(View bytes, HttpHead& head) {
  head.clear(bytes.size());
  if (bytes.size() > http_head_max) return HeadFault::too_large;
  if (has_folded_field(bytes)) return HeadFault::malformed;
  HeadParser parser(head);
  parser.body_limit(boost::none);
  error_code error;
  parser.put(boost::asio::buffer(bytes.data(), bytes.size()), error);
  if (error == http::error::bad_version) return HeadFault::unsupported_version;
  if (error == http::error::header_limit) return HeadFault::too_large;
  if (error || !parser.is_header_done()) return parser.fault();
  const auto length = parser.content_length();
  head.set_framing(length ? std::optional<Bytes>(*length) : std::nullopt, parser.chunked(),
                   parser.keep_alive());
  return HeadFault::none;
}

}  // namespace kiseki::s3
