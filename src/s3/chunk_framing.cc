#include "s3/chunk_framing.h"

#include <charconv>

#include "base/assert.h"
#include "base/encoding.h"

namespace kiseki::s3 {

namespace {

/// 2^50: no size above it is meant, and sums of a few cannot overflow.
constexpr Bytes chunk_size_max = Bytes{1} << 50;

}  // namespace

Result<std::size_t> ChunkFraming::feed(View bytes) {
  std::size_t taken = 0;
  while (state_ == State::framing && taken < bytes.size()) {
    const char c = static_cast<char>(bytes[taken++]);
    if (!line_.empty() && line_.back() == '\r') {
      if (c != '\n') return fail(Errc::invalid_argument, "a chunk line ends without CRLF");
      line_.pop_back();
      KISEKI_TRY(take_line());
      line_.clear();
      continue;
    }
    if (c == '\n') return fail(Errc::invalid_argument, "a chunk line ends without CRLF");
    if (line_.size() >= line_max) return fail(Errc::invalid_argument, "a chunk line is too long");
    line_.push_back(c);
  }
  return taken;
}

void ChunkFraming::pass(Bytes count) {
  KISEKI_ASSERT(state_ == State::data && count <= left_);
  left_ -= count;
  if (left_ > 0) return;
  state_ = State::framing;
  expected_ = Line::end_of_data;
}

Result<> ChunkFraming::take_line() {
  switch (expected_) {
    case Line::head:
      return take_head();
    case Line::trailer:
      return take_trailer();
    case Line::end_of_data:
      if (!line_.empty()) return fail(Errc::invalid_argument, "a chunk is longer than its size");
      expected_ = Line::head;
      return {};
  }
  return {};
}

Result<> ChunkFraming::take_head() {
  const std::string_view line = line_;
  const std::size_t semicolon = line.find(';');
  const std::string_view size = trimmed(line.substr(0, semicolon));
  const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), left_, 16);
  if (size.empty() || error != std::errc{} || end != size.data() + size.size() || left_ > chunk_size_max) {
    return fail(Errc::invalid_argument, "a chunk size is not a number");
  }
  extension_ = semicolon == line.npos ? std::string() : std::string(trimmed(line.substr(semicolon + 1)));
  ++chunks_;
  if (left_ > 0) {
    state_ = State::data;
  } else {
    expected_ = Line::trailer;
  }
  return {};
}

Result<> ChunkFraming::take_trailer() {
  if (line_.empty()) {
    state_ = State::finished;
    return {};
  }
  const std::string_view line = line_;
  const std::size_t colon = line.find(':');
  if (colon == line.npos || colon == 0) return fail(Errc::invalid_argument, "a trailer has no name");
  if (trailers_.size() >= trailers_max) return fail(Errc::invalid_argument, "too many trailers");
  std::string name(trimmed(line.substr(0, colon)));
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  trailers_.emplace_back(std::move(name), trimmed(line.substr(colon + 1)));
  return {};
}

}  // namespace kiseki::s3
