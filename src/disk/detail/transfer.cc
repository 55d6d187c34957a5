#include "disk/detail/transfer.h"

#include <cerrno>

#include "disk/detail/posix.h"

namespace kiseki::disk::detail {

namespace {

// Below what a call can report, and a multiple of every alignment.
constexpr Bytes call_length_max = 1_GiB;
constexpr unsigned fruitless_max = 1000;

}  // namespace

Call Transfer::next() const noexcept {
  Call call = rest_;
  call.length = std::min(call.length, call_length_max);
  return call;
}

Result<> Transfer::take(int result) {
  const bool reading = rest_.kind == Call::Kind::read;
  const std::string_view what = reading ? "read" : "write";
  if ((result == -EINTR || result == -EAGAIN) && ++fruitless_ < fruitless_max) return {};
  if (result < 0) return fail(system_error(-result, what));
  auto moved = static_cast<Bytes>(result);
  if (moved < rest_.length) moved = round_down(moved, alignment_);
  // A read that stops inside an aligned block has met the end of the file.
  if (moved == 0)
    return fail(reading ? Errc::out_of_range : Errc::io_error,
                reading ? "read: end of file" : "write: no progress");
  rest_.offset += moved;
  rest_.data += moved;
  rest_.length -= moved;
  return {};
}

}  // namespace kiseki::disk::detail
