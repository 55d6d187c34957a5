#include "chunk/detail/committer.h"

#include "base/metrics.h"
#include "base/planted.h"

namespace kiseki::chunk::detail {

namespace {

// The index refuses writes while it stalls or its disk is full. Beyond this it counts as broken.
constexpr Duration first_pause = std::chrono::milliseconds(1);
constexpr Duration last_pause = std::chrono::seconds(4);

metrics::Counter flushes("kiseki_device_flushes_total",
                         "Flushes of a device's data file, each shared by a group.");

}  // namespace

Task<Result<>> Committer::commit(std::vector<Change> changes) {
  KISEKI_CO_TRY(parts_.health.check());
  Waiting waiting{std::move(changes), {}};
  next_.push_back(&waiting);
  if (!std::exchange(running_, true)) parts_.scope.spawn(run());
  co_return co_await waiting.done.take();
}

Task<> Committer::run() {
  while (!next_.empty()) {
    const auto group = std::exchange(next_, {});
    const bool flushes_late = KISEKI_PLANTED("6.4 a put is visible before its bytes are flushed");
    auto result = flushes_late ? Result<>{} : co_await parts_.file.sync();
    flushes.add();
    if (result) result = co_await apply(group);
    if (!result) parts_.health.fail_for_good(result.error());
    for (Waiting* waiting : group) waiting->done.set(result);
    parts_.regions.flush_when_due();
  }
  running_ = false;
}

Task<Result<>> Committer::apply(const std::vector<Waiting*>& group) {
  KISEKI_CO_TRY(parts_.health.check());
  std::vector<Change> changes;
  for (const Waiting* waiting : group) {
    changes.insert(changes.end(), waiting->changes.begin(), waiting->changes.end());
  }
  KISEKI_CO_TRY(co_await write_index(changes));
  for (const Change& change : changes) {
    if (change.before && !change.after) parts_.regions.space().freed(change.before->extent());
  }
  co_return Result<>{};
}

/// A record that is on disk and not in the index would contradict what is acknowledged later, so the write is
/// tried again until it succeeds or the device is given up.
Task<Result<>> Committer::write_index(std::vector<Change> changes) {
  auto written = parts_.index.write(changes);
  for (Duration pause = first_pause; !written && pause <= last_pause; pause *= 2) {
    co_await parts_.clock.sleep(pause);
    written = parts_.index.write(changes);
  }
  co_return written;
}

}  // namespace kiseki::chunk::detail
