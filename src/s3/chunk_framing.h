#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "base/result.h"

namespace kiseki::s3 {

/// The framing that HTTP's chunked coding (RFC 9112 section 7.1) and aws-chunked share:
///
///     size-in-hex [;extension] CRLF data CRLF … 0 [;extension] CRLF (name:value CRLF)* CRLF
///
/// A machine without I/O: it is fed framing bytes, and told how many data bytes went by between them.
class ChunkFraming {
 public:
  enum class State : std::uint8_t { framing, data, finished };

  static constexpr std::size_t line_max = 4_KiB;
  static constexpr std::size_t trailers_max = 32;

  /// Takes framing bytes until data begins or the body ends; returns how many it took. `invalid_argument`
  /// when they break the grammar or a bound.
  Result<std::size_t> feed(View bytes);

  State state() const noexcept { return state_; }
  /// Data bytes of the open chunk that have not gone by yet.
  Bytes data_left() const noexcept { return left_; }
  /// `count` ≤ `data_left()` data bytes went by.
  void pass(Bytes count);

  /// What followed ';' in the head of the last chunk begun, the final one included.
  const std::string& extension() const noexcept { return extension_; }
  /// Chunks begun so far, the final one included.
  std::uint64_t chunks() const noexcept { return chunks_; }
  /// Names in lower case, values trimmed; in the order they came.
  const std::vector<std::pair<std::string, std::string>>& trailers() const noexcept { return trailers_; }

 private:
  enum class Line : std::uint8_t { head, end_of_data, trailer };

  Result<> take_line();
  Result<> take_head();
  Result<> take_trailer();

  State state_ = State::framing;
  Line expected_ = Line::head;
  std::string line_;
  Bytes left_ = 0;
  std::uint64_t chunks_ = 0;
  std::string extension_;
  std::vector<std::pair<std::string, std::string>> trailers_;
};

}  // namespace kiseki::s3
