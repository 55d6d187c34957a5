#include "s3/object_sender.h"

namespace kiseki::s3 {

namespace {

constexpr Bytes run_first = 128_KiB, run_most = 1_MiB, run_slow = 64_KiB;
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
  co_return co_await take_run();
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
  auto taken = co_await stream_.respond_some(std::move(head), run_.bytes.view());
  for (;;) {
    if (!taken) co_return Result<>{};
    at_ += *taken;
    keep_pace(*taken);
    if (at_ == end()) co_return Result<>{};
    if (is_slow_) {
      co_await forget_runs();
      if (!co_await stream_.writable()) co_return Result<>{};
    }
    KISEKI_CO_TRY(co_await take_run());
    read_ahead();
    taken = co_await stream_.write_some(run_.bytes.view());
  }
}

void ObjectSender::keep_pace(Bytes taken) {
  is_slow_ = taken < run_.bytes.size();
  length_ = is_slow_ ? run_slow : std::min(run_most, length_ * 4);
}

/// The next run: the one read ahead, or read now.
Task<Result<>> ObjectSender::take_run() {
  run_ = {};
  if (ahead_) {
    auto read = co_await std::exchange(ahead_, nullptr)->take();
    if (!read) co_return fail(std::move(read).error());
    run_ = std::move(*read);
    co_return Result<>{};
  }
  const Bytes length = std::min(length_, end() - at_);
  auto permit = co_await memory_for(length);
  if (!permit) co_return fail(Errc::busy, "no memory for another run");
  auto read = co_await read_run(at_, std::move(*permit), length);
  if (!read) co_return fail(std::move(read).error());
  run_ = std::move(*read);
  co_return Result<>{};
}

Task<std::optional<MemoryBudget::Permit>> ObjectSender::memory_for(Bytes length) {
  if (length <= run_free) co_return MemoryBudget::Permit();
  const MemoryUse use = is_slow_ ? MemoryUse::slow : MemoryUse::transfer;
  co_return co_await ports_.memory->acquire_within(*ports_.clock, memory_wait, use, length);
}

Task<Result<ObjectSender::Run>> ObjectSender::read_run(Bytes offset, MemoryBudget::Permit permit,
                                                       Bytes length) {
  auto bytes = co_await object_.read(offset, length);
  if (!bytes) co_return fail(std::move(bytes).error());
  co_return Run{std::move(*bytes), std::move(permit)};
}

/// Only with memory that nobody waits for: who has a run in hand does not wait for another.
void ObjectSender::read_ahead() {
  const Bytes next = at_ + run_.bytes.size();
  if (is_slow_ || next >= end()) return;
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
    read = co_await read_run(offset, std::move(permit), length);
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
