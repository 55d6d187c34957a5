#include "s3/object_sender.h"

#include <boost/asio/post.hpp>

namespace kiseki::s3 {

namespace {

constexpr Bytes run_first = 256_KiB, run_most = 1_MiB, run_slow = 64_KiB;
/// What is opened and sent before others get a turn; it stays in the cache between the two.
constexpr Bytes slice_most = 256_KiB;
/// A run of so little is not worth waiting for memory.
constexpr Bytes run_free = 16_KiB;
constexpr Duration memory_wait = std::chrono::seconds(30);

}  // namespace

ObjectSender::ObjectSender(Ports ports, HttpStream& stream, fs::Object& object, ByteRange range)
    : ports_(ports),
      stream_(stream),
      object_(object),
      range_(range),
      at_(range.offset),
      length_(run_first),
      scope_(ports.executor) {}

Task<Result<>> ObjectSender::begin() {
  // Who left the response before unread waits without memory.
  KISEKI_CO_TRY(co_await stream_.writable());
  KISEKI_CO_TRY(co_await object_.hold(range_.offset, range_.length));
  KISEKI_CO_TRY(co_await begin_run());
  co_return open_slice();
}

/// A peer that nobody knows gets little memory, unless there is plenty and its range is short.
Task<Result<>> ObjectSender::begin_run() {
  const MemoryBudget& memory = *ports_.memory;
  const bool is_plenty = memory.available(MemoryUse::transfer) > memory.total(MemoryUse::transfer) / 2;
  if (is_plenty && range_.length <= run_most) length_ = run_most;
  co_return co_await read_run();
}

Task<Result<>> ObjectSender::send(HttpResponse head) {
  Result<> done = fail(Errc::busy, "no memory");
  try {
    done = co_await send_runs(std::move(head));
  } catch (const std::bad_alloc&) {
    ahead_.reset();
  }
  co_await scope_.stop();
  co_return done;
}

Task<Result<>> ObjectSender::send_runs(HttpResponse head) {
  read_ahead();
  auto taken = co_await stream_.respond_some(std::move(head), slice_);
  for (;;) {
    if (!taken) co_return Result<>{};
    take_note(*taken);
    if (at_ == end()) co_return Result<>{};
    if (is_slow_) {
      co_await forget_runs();
      if (!co_await stream_.writable()) co_return Result<>{};
    }
    KISEKI_CO_TRY(co_await next_slice());
    taken = co_await stream_.write_some(slice_);
  }
}

void ObjectSender::take_note(Bytes taken) {
  is_slow_ = taken < slice_.size();
  at_ += taken;
  run_.sent += taken;
  if (is_slow_) {
    length_ = run_slow;
  } else if (run_.left() == 0) {
    length_ = std::min(run_most, length_ * 4);
  }
}

Task<Result<>> ObjectSender::next_slice() {
  if (run_.left() == 0) {
    KISEKI_CO_TRY(co_await take_run());
  } else {
    co_await asio::post(ports_.executor, use_task);
  }
  KISEKI_CO_TRY(open_slice());
  read_ahead();
  co_return Result<>{};
}

Result<> ObjectSender::open_slice() {
  const Bytes end = run_.sent + std::min(slice_most, run_.left());
  const auto opened = run_.bytes.first(end);
  if (!opened) return fail(opened.error());
  slice_ = opened->subspan(run_.sent);
  return {};
}

/// The next run: the one read ahead, or read now.
Task<Result<>> ObjectSender::take_run() {
  run_ = {};
  if (!ahead_) co_return co_await read_run();
  auto read = co_await std::exchange(ahead_, nullptr)->take();
  if (!read) co_return fail(std::move(read).error());
  run_ = std::move(*read);
  co_return Result<>{};
}

Task<std::optional<MemoryBudget::Permit>> ObjectSender::memory_for(Bytes length) {
  if (length <= run_free) co_return MemoryBudget::Permit();
  const MemoryUse use = is_slow_ ? MemoryUse::slow : MemoryUse::transfer;
  co_return co_await ports_.memory->acquire_within(*ports_.clock, memory_wait, use, length);
}

Task<Result<>> ObjectSender::read_run() {
  const Bytes length = std::min(length_, end() - at_);
  auto permit = co_await memory_for(length);
  if (!permit) co_return fail(Errc::busy, "no memory for another run");
  auto read = co_await fetch(at_, std::move(*permit), length);
  if (!read) co_return fail(std::move(read).error());
  run_ = std::move(*read);
  co_return Result<>{};
}

Task<Result<ObjectSender::Run>> ObjectSender::fetch(Bytes offset, MemoryBudget::Permit permit, Bytes length) {
  auto bytes = co_await object_.fetch(offset, length);
  if (!bytes) co_return fail(std::move(bytes).error());
  permit.shrink(bytes->size());
  co_return Run{std::move(*bytes), std::move(permit)};
}

/// Only with memory that nobody waits for: who has a run in hand does not wait for another.
void ObjectSender::read_ahead() {
  const Bytes next = at_ + run_.left();
  if (ahead_ || is_slow_ || next >= end()) return;
  const Bytes length = std::min(std::min(run_most, length_ * 4), end() - next);
  auto permit = ports_.memory->try_acquire(MemoryUse::transfer, length);
  if (!permit) return;
  ahead_ = std::make_shared<Outcome>();
  scope_.spawn(read_beside(next, std::move(*permit), length, ahead_));
}

Task<> ObjectSender::read_beside(Bytes offset, MemoryBudget::Permit permit, Bytes length,
                                 std::shared_ptr<Outcome> into) {
  Result<Run> read = fail(Errc::busy, "no memory");
  try {
    read = co_await fetch(offset, std::move(permit), length);
  } catch (const std::bad_alloc&) {
    read = fail(Errc::busy, "no memory");
  }
  into->set(std::move(read));
}

/// Gives the memory back. Only one read of the object is under way at a time, so the one ahead is awaited.
Task<> ObjectSender::forget_runs() {
  run_ = {};
  if (ahead_) (void)co_await std::exchange(ahead_, nullptr)->take();
}

}  // namespace kiseki::s3
