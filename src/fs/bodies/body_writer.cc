#include "fs/bodies/body_writer.h"

#include <cstring>

#include "base/assert.h"
#include "base/planted.h"

namespace kiseki::fs::detail {

namespace {

/// A sender that fills no piece in this time is slow, when others wait for the memory.
constexpr Duration pace_limit = std::chrono::milliseconds(250);
constexpr Bytes slow_piece = 256_KiB;
/// What a sender fills before he gets a whole piece: who never will pins no more.
constexpr Bytes trial_size = 256_KiB;

}  // namespace

BodyWriter::BodyWriter(Tree& tree, PieceStore& store, BodyOwner owner)
    : tree_(tree), store_(store), owner_(owner), map_(tree, store, std::move(owner)) {}

Task<Result<WrittenBody>> BodyWriter::write(Source& source) {
  is_one_piece_ = source.size().value_or(piece_size_max) < piece_size_max;
  KISEKI_CO_TRY(co_await fill(source));
  if (ended_ && filled_ <= owner_.small_max) co_return co_await small();
  while (filled_ > 0) {
    KISEKI_CO_TRY(co_await send(source));
    if (ended_) break;
    KISEKI_CO_TRY(co_await fill(source));
  }
  KISEKI_CO_TRY(co_await settle());
  co_return co_await map_.finish();
}

/// Room for a piece, a tail that goes with it, or for one byte more than is announced, so that the end shows.
Bytes BodyWriter::capacity_for(const Source& source) const {
  const auto size = source.size();
  if (!size) return piece_size_max;
  const Bytes rest = *size > consumed_ ? *size - consumed_ : 0;
  return std::min<Bytes>(piece_size_max, carry_.size() + rest + 1);
}

/// Waits with nothing in hand but what was read beyond the last piece; a put beside us ends by itself.
Task<Result<>> BodyWriter::take_memory(Source& source, Bytes needed) {
  Services& services = tree_.services();
  const auto arrived = co_await source.arrival();
  if (!arrived) co_return fail(arrived.error());
  use_ = is_slow_ ? MemoryUse::slow : MemoryUse::transfer;
  if (*arrived == Arrival::rest) use_ = MemoryUse::prompt;
  const Bytes size = use_ == MemoryUse::slow ? std::min(needed, slow_piece) : needed;
  room_ = use_ == MemoryUse::transfer && !is_known_ ? std::min(size, trial_size) : size;
  auto permit = co_await services.memory->acquire_within(*services.clock, budget_wait, use_, room_);
  if (!permit) co_return fail(Errc::busy, "no memory for another piece");
  permit_ = std::move(*permit);
  buffer_ = Buffer(size);  // memory that is not touched yet is only an address
  co_return Result<>();
}

bool BodyWriter::should_cut(const Source& source, BootTime began) const {
  const Services& services = tree_.services();
  if (filled_ < owner_.small_max || filled_ == 0 || !services.memory->has_waiters(use_)) return false;
  return source.pauses() || services.clock->now() - began > pace_limit;
}

/// The rest of the buffer, if nobody waits for it.
void BodyWriter::grow(Bytes needed) {
  const Bytes more = std::min(needed, buffer_.size()) - room_;
  if (more == 0 || !permit_.grow(more)) return;
  room_ += more;
}

/// Reads until the buffer is full, the source ends or the piece is to be cut. Hashes on the way where there
/// are several.
Task<Result<>> BodyWriter::fill(Source& source) {
  Services& services = tree_.services();
  const Bytes needed = capacity_for(source);
  KISEKI_CO_TRY(co_await take_memory(source, needed));
  const BootTime began = services.clock->now();
  std::memcpy(buffer_.data(), carry_.data(), carry_.size());
  filled_ = std::exchange(carry_, {}).size();
  hashed_ = 0;
  bool cut = false;
  for (Bytes turn = 0; !ended_ && !cut && filled_ < room_;) {
    auto count = co_await source.read(buffer_.span().subspan(filled_, std::min(slice_size, room_ - filled_)));
    if (!count) co_return fail(count.error());
    ended_ = *count == 0 && !source.pauses();
    filled_ += *count;
    consumed_ += *count;
    if (!is_one_piece_ && filled_ > owner_.small_max) hash(std::min(filled_, piece_size));
    cut = !ended_ && should_cut(source, began);
    if (filled_ == room_) grow(needed);
    if ((turn += *count) < slice_size) continue;
    turn = 0;
    co_await yield_to(services.executor);
  }
  if (!ended_ && !cut && filled_ == needed && needed < piece_size_max) {
    co_return fail(Errc::invalid_argument, "a body longer than its sender said");
  }
  const bool is_late = services.clock->now() - began > pace_limit;
  is_slow_ = cut || (is_slow_ && is_late);
  is_known_ = !is_late;
  if (!ended_) is_one_piece_ = false;
  co_return Result<>();
}

void BodyWriter::hash(Bytes until) {
  hasher_.update(buffer_.view().subspan(hashed_, until - hashed_));
  hashed_ = until;
}

/// Of the piece in the buffer. One piece alone is hashed at its end, unless its source has done so.
Task<crypto::Digest256> BodyWriter::digest(const Source& source, Bytes length) {
  if (is_one_piece_ || KISEKI_PLANTED("6.1 the digest of a whole body names its first piece")) {
    if (const auto known = source.digest()) co_return *known;
  }
  while (hashed_ < length) {
    hash(std::min(length, hashed_ + slice_size));
    if (hashed_ < length) co_await yield_to(tree_.services().executor);
  }
  co_return hasher_.finish<32>();
}

/// Hands the piece on and takes the outcome of the one before.
Task<Result<>> BodyWriter::send(const Source& source) {
  const Bytes length = ended_ ? filled_ : std::min(filled_, piece_size);
  const auto sum = co_await digest(source, length);
  carry_.assign(as_text(buffer_.view().subspan(length, filled_ - length)));
  buffer_.shrink(length);
  permit_.shrink(length);
  KISEKI_CO_TRY(co_await settle());
  if (!hold_) hold_ = store_.hold(owner_.ns->id);
  in_flight_ = store_.start_put(owner_.ns->keys, std::move(buffer_), sum, std::move(permit_), hold_);
  co_return Result<>();
}

Task<Result<>> BodyWriter::settle() {
  if (!in_flight_) co_return Result<>();
  auto stored = co_await std::exchange(in_flight_, nullptr)->take();
  if (!stored) co_return fail(std::move(stored).error().in("store a piece"));
  co_return co_await map_.add(stored->piece, stored->epoch);
}

Task<Result<WrittenBody>> BodyWriter::small() {
  auto file = co_await tree_.new_id(owner_.ns->id);
  if (!file) co_return fail(file.error());
  WrittenBody body;
  body.file = *file;
  body.size = filled_;
  body.bytes = as_text(buffer_.view().first(filled_));
  if (filled_ > 0) {
    body.kind = filled_ <= embedded_max ? shard::Body::embedded : shard::Body::inline_row;
  }
  buffer_ = Buffer();
  permit_.release();
  co_return std::move(body);
}

}  // namespace kiseki::fs::detail
