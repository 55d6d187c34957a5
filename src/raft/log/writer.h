#pragma once

#include <atomic>
#include <deque>
#include <unordered_map>
#include <unordered_set>

#include "base/scope.h"
#include "base/sync.h"
#include "raft/log.h"
#include "raft/log/group_index.h"
#include "raft/log/recovery.h"
#include "raft/log/segment_store.h"

namespace kiseki::raft {

/// The log at work: a queue of what waits for the next flush, and an index of what is durable.
class Log::Writer {
 public:
  Writer(disk::Disk& disk, Executor executor, Clock& clock, const Options& options);

  Task<Result<>> start(detail::RecoveredLog recovered);
  Executor executor() const { return executor_; }
  std::unordered_map<GroupId, Recovered> take_recovered() { return std::move(recovered_); }
  Task<Result<>> create(GroupId group, ReplicaId replica, SnapshotMeta base);
  Task<Result<>> append(Append append);
  Bytes append_max() const { return append_max_; }
  Task<Result<std::vector<Entry>>> read(GroupId group, Index from, Index to, Bytes limit);
  Task<Result<>> compact(GroupId group, SnapshotMeta through);
  Task<Result<>> install(GroupId group, SnapshotMeta base, std::optional<HardState> hard_state);
  Task<Result<>> erase(GroupId group);
  Bytes live_bytes() const { return live_bytes_.load(std::memory_order_relaxed); }
  bool is_full() const { return nearly_full_.load(std::memory_order_relaxed) && segments_.is_out_of_space(); }
  Task<> stop();

 private:
  struct Group {
    detail::GroupIndex index;
    Index queued_last = 0;  // the last entry that is durable or waits
    bool erasing = false;
  };
  /// What one call waits for; it lives in the caller's frame.
  struct Waiting {
    GroupId group;
    std::optional<detail::BaseRecord> base;
    std::optional<HardState> hard_state;
    std::span<const Entry> entries;
    bool erased = false;
    OneShot<Result<>> done;

    /// Anything but creation, compaction, snapshots and the end of a group: those may use what a full disk
    /// left in reserve.
    bool is_append() const { return !base && !erased; }
    Bytes size() const;
  };
  using Batch = std::vector<Waiting*>;
  /// A batch on its way to the disk.
  struct Flight {
    Batch batch;
    std::vector<detail::Run> runs;  // of each that waits
    std::uint64_t number = 0;
    std::uint64_t first_live = 0;
    Bytes offset = 0;  // in the active segment
    Buffer bytes;
    bool has_ended = false;
  };

  /// Nothing for a group that is not there, or about to go.
  Group* find(GroupId group);
  Task<Result<>> enqueue(Waiting& waiting);

  // log_flushing.cc
  Task<> flush_all();
  bool has_work() const;
  Task<> next_work();
  Batch gather();
  Task<Result<>> make_room(const Batch& batch);
  /// Of the records, with the checkpoint if the batch is the first of its segment.
  Bytes size_of(const Batch& batch) const;
  void write_checkpoint(detail::BatchWriter& writer) const;
  std::vector<detail::Run> write_records(detail::BatchWriter& writer, const Batch& batch);
  Task<Result<>> begin(const Batch& batch);
  Task<> carry(Flight& flight);
  std::unique_ptr<Flight> take_ended();
  Task<Result<>> flush(const Flight& flight);
  void settle(const Flight& flight);
  void refuse(Batch batch, const Error& error);
  std::uint64_t first_live();
  void publish();

  struct Wanted {
    GroupId group;
    Index from;
    Index to;
    Bytes limit;
  };
  Task<Result<>> read_run(detail::Run run, Wanted wanted, std::vector<Entry>& into);

  Executor executor_;
  Clock& clock_;
  Bytes append_max_;
  Bytes gather_max_;
  Bytes reserve_;
  Scope scope_;
  detail::SegmentStore segments_;
  Bytes offset_ = detail::log_block;  // where the next batch goes in the active segment
  std::uint64_t next_batch_ = 1;
  std::uint64_t first_live_ = 1;
  std::unordered_map<GroupId, Group> groups_;
  std::unordered_set<GroupId> creating_;
  std::unordered_set<GroupId> lazy_;  // their hard state is newer in memory than on disk
  std::unordered_map<GroupId, Recovered> recovered_;
  std::deque<Waiting*> queue_;
  std::deque<std::unique_ptr<Flight>> flights_;  // by number
  Event work_;                                   // something waits, or a flight has ended
  bool stopping_ = false;
  std::optional<Error> failed_;
  std::atomic<Bytes> live_bytes_ = 0;
  std::atomic<bool> nearly_full_ = false;
};

}  // namespace kiseki::raft
