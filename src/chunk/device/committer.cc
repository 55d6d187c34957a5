#include "chunk/device/committer.h"

#include "base/metrics.h"
#include "base/planted.h"
#include "kv/off_loop.h"

namespace kiseki::chunk::detail {

namespace {

// The index refuses writes while it stalls or its disk is full. Beyond this it counts as broken.
constexpr Duration first_pause = std::chrono::milliseconds(1);
constexpr Duration last_pause = std::chrono::seconds(4);

metrics::Counter flushes("kiseki_device_flushes_total",
                         "Flushes of a device's data file, each shared by a group.");

}  // namespace

Task<Result<>> Committer::commit(std::vector<Change> changes) {
  Waiting waiting;
  waiting.changes = std::move(changes);
  co_return co_await wait_for(waiting);
}

Task<Result<>> Committer::write_and_commit(Bytes offset, View bytes, std::vector<Change> changes) {
  Waiting waiting;
  waiting.changes = std::move(changes);
  waiting.offset = offset;
  if (running_) {
    // Beside the flush that is under way, so that the next one covers it.
    auto written = co_await media_.file.write(offset, bytes);
    if (!written) {
      if (written.error().code() == Errc::no_space) co_return written;
      media_.health.fail_for_good(written.error());
      co_return media_.health.check();
    }
  } else {
    waiting.unwritten = bytes;
  }
  co_return co_await wait_for(waiting);
}

Task<Result<>> Committer::wait_for(Waiting& waiting) {
  KISEKI_CO_TRY(media_.health.check());
  next_.push_back(&waiting);
  if (!std::exchange(running_, true)) media_.scope.spawn(run());
  co_return co_await waiting.done.take();
}

/// At most one of the group came when no flush was under way, and is unwritten.
Task<Result<>> Committer::flush(const std::vector<Waiting*>& group) {
  const auto found = std::ranges::find_if(group, [](const Waiting* one) { return !one->unwritten.empty(); });
  const bool flushes_late = KISEKI_PLANTED("6.4 a put is visible before its bytes are flushed");
  if (found == group.end() && flushes_late) co_return Result<>{};
  if (found == group.end()) co_return co_await media_.file.sync();
  if (flushes_late) co_return co_await media_.file.write((*found)->offset, (*found)->unwritten);
  co_return co_await media_.file.write_and_sync((*found)->offset, (*found)->unwritten);
}

Task<> Committer::run() {
  while (!next_.empty()) {
    const auto group = std::exchange(next_, {});
    auto result = co_await flush(group);
    flushes.add();
    if (result) result = co_await apply(group);
    if (!result) {
      media_.health.fail_for_good(result.error());
      result = media_.health.check();
    }
    for (Waiting* waiting : group) waiting->done.set(result);
    regions_.flush_when_due();
  }
  running_ = false;
}

Task<Result<>> Committer::apply(const std::vector<Waiting*>& group) {
  KISEKI_CO_TRY(media_.health.check());
  std::vector<Change> changes;
  for (const Waiting* waiting : group) {
    changes.insert(changes.end(), waiting->changes.begin(), waiting->changes.end());
  }
  // Before the index shows it: what is freed waits for a flush and for reads.
  for (const Change& change : changes) {
    if (change.before && !change.after) regions_.allocator().freeing(change.before->extent());
  }
  KISEKI_CO_TRY(co_await write_index(changes));
  for (const Change& change : changes) {
    if (change.before && !change.after) regions_.allocator().freed(change.before->extent());
  }
  co_return Result<>{};
}

/// A record that is on disk and not in the index would contradict what is acknowledged later, so the write is
/// tried again until it succeeds or the device is given up.
Task<Result<>> Committer::write_index(std::vector<Change> changes) {
  const Index::Update update = media_.index.prepare(changes);
  const auto write = [&](kv::Blocking blocking) { return media_.store.write(update.batch, blocking); };
  auto written = co_await kv::off_loop(media_.pool, write);
  for (Duration pause = first_pause; !written && pause <= last_pause; pause *= 2) {
    co_await media_.clock.sleep(pause);
    written = co_await kv::off_loop(media_.pool, write);
  }
  if (written) media_.index.complete(update);
  co_return written;
}

}  // namespace kiseki::chunk::detail
