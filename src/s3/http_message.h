#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/units.h"

// The head of a request as it came, and the head of a response as it goes.

namespace kiseki::s3 {

struct HttpField {
  std::string_view name;   ///< Lower case.
  std::string_view value;  ///< Without white space around it; any octets but controls inside.
};

/// Method, raw target and fields of one request. Reused from request to request; every view into it dies with
/// the next `clear`.
class HttpHead {
 public:
  HttpHead() = default;
  HttpHead(const HttpHead&) = delete;
  HttpHead& operator=(const HttpHead&) = delete;

  std::string_view method() const noexcept { return method_; }
  /// Path and query, still percent-encoded.
  std::string_view target() const noexcept { return target_; }
  /// In the order they came.
  std::span<const HttpField> fields() const noexcept { return fields_; }
  /// The first field of that name (lower case).
  std::optional<std::string_view> find(std::string_view name) const noexcept;
  /// The same, empty when there is none.
  std::string_view get(std::string_view name) const noexcept {
    return find(name).value_or(std::string_view{});
  }

  /// Nothing when the body is chunked or absent.
  std::optional<Bytes> content_length() const noexcept { return content_length_; }
  bool chunked() const noexcept { return chunked_; }
  bool keep_alive() const noexcept { return keep_alive_; }
  bool expects_continue() const noexcept { return expects_continue_; }

  // For the parser.
  void clear(std::size_t bytes_max);
  void set_request_line(std::string_view method, std::string_view target);
  void add_field(std::string_view name, std::string_view value);
  void set_framing(std::optional<Bytes> content_length, bool chunked, bool keep_alive);

 private:
  std::string_view store(std::string_view text);

  std::string storage_;  // never grows past its capacity while views point into it
  std::string_view method_;
  std::string_view target_;
  std::vector<HttpField> fields_;
  std::optional<Bytes> content_length_;
  bool chunked_ = false;
  bool keep_alive_ = false;
  bool expects_continue_ = false;
};

/// Status line and fields of a response. Control characters in a value become spaces, so that no value can
/// end a line.
class HttpResponse {
 public:
  explicit HttpResponse(unsigned status) : status_(status) {}

  HttpResponse& add(std::string_view name, std::string_view value);
  /// Required unless the status allows no body.
  HttpResponse& set_length(Bytes length);
  /// The connection ends after this response.
  HttpResponse& set_close();

  unsigned status() const noexcept { return status_; }
  Bytes length() const noexcept { return length_; }
  bool closes() const noexcept { return close_; }
  const std::string& fields() const noexcept { return fields_; }
  /// 1xx, 204 and 304 (RFC 9110 section 6.4.1).
  bool has_body() const noexcept { return status_ >= 200 && status_ != 204 && status_ != 304; }

 private:
  unsigned status_;
  Bytes length_ = 0;
  bool close_ = false;
  std::string fields_;
};

std::string_view reason_phrase(unsigned status) noexcept;

}  // namespace kiseki::s3
