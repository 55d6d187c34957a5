#include "chunk/detail/recorder.h"

namespace kiseki::chunk::detail {

Task<Result<>> Recorder::record(Record record, Change change) {
  Waiting waiting{record, std::move(change), {}};
  queue_.push_back(&waiting);
  if (!std::exchange(running_, true)) parts_.scope.spawn(run());
  co_return co_await waiting.done.take();
}

Task<> Recorder::run() {
  while (!queue_.empty()) {
    std::vector<Waiting*> group;
    const auto result = co_await write(group);
    for (Waiting* waiting : group) waiting->done.set(result);
  }
  running_ = false;
}

/// Fills `group` with the records that share the block and the result.
Task<Result<>> Recorder::write(std::vector<Waiting*>& group) {
  const auto grant = co_await parts_.regions.allocate(unit, Purpose::record);
  // Records that came while this one waited for space go along.
  std::vector<Record> records;
  std::vector<Change> changes;
  while (!queue_.empty() && group.size() < records_max) {
    group.push_back(queue_.front());
    queue_.pop_front();
    records.push_back(group.back()->record);
    changes.push_back(group.back()->change);
  }
  if (!grant) co_return fail(grant.error());
  const Buffer block = encode(records, grant->position(), parts_.mac);
  auto written = co_await parts_.file.write(grant->position().offset, block.view());
  if (!written) {
    if (written.error().code() != Errc::no_space) parts_.health.fail_for_good(written.error());
    co_return written;
  }
  co_return co_await parts_.committer.commit(std::move(changes));
}

}  // namespace kiseki::chunk::detail
