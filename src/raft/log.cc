#include "raft/log.h"

#include "base/assert.h"
#include "raft/log/recovery.h"
#include "raft/log/writer.h"

namespace kiseki::raft {

Log::Log(std::unique_ptr<Writer> writer) : writer_(std::move(writer)) {}
Log::~Log() = default;

Task<Result<std::unique_ptr<Log>>> Log::open(disk::Disk& disk, Executor executor, Clock& clock,
                                             Options options) {
  KISEKI_ASSERT(options.segment_size % detail::log_block == 0 &&
                options.segment_size >= 16 * detail::log_block);
  KISEKI_CO_TRY(co_await disk.make_directory(options.directory));
  auto recovered = co_await detail::recover_log(disk, options.directory);
  if (!recovered) co_return fail(std::move(recovered).error().in("log"));
  auto writer = std::make_unique<Writer>(disk, executor, clock, options);
  auto started = co_await writer->start(std::move(*recovered));
  if (!started) {
    co_await writer->stop();
    co_return fail(std::move(started).error().in("log"));
  }
  co_return std::unique_ptr<Log>(new Log(std::move(writer)));
}

Executor Log::executor() const { return writer_->executor(); }

std::unordered_map<GroupId, Recovered> Log::take_recovered() { return writer_->take_recovered(); }

Task<Result<>> Log::create(GroupId group, ReplicaId replica, SnapshotMeta base) {
  return writer_->create(group, replica, std::move(base));
}

Bytes Log::append_max() const { return writer_->append_max(); }

Task<Result<>> Log::append(Append append) { return writer_->append(std::move(append)); }

Task<Result<std::vector<Entry>>> Log::read(GroupId group, Index from, Index to, Bytes limit) {
  return writer_->read(group, from, to, limit);
}

Task<Result<>> Log::compact(GroupId group, SnapshotMeta through) {
  return writer_->compact(group, std::move(through));
}

Task<Result<>> Log::install(GroupId group, SnapshotMeta base, std::optional<HardState> hard_state) {
  return writer_->install(group, std::move(base), hard_state);
}

Task<Result<>> Log::erase(GroupId group) { return writer_->erase(group); }

Bytes Log::live_bytes() const { return writer_->live_bytes(); }

bool Log::is_full() const { return writer_->is_full(); }

Task<> Log::stop() { return writer_->stop(); }

}  // namespace kiseki::raft
