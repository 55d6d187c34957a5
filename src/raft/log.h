#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/task.h"
#include "disk/disk.h"
#include "raft/types.h"

namespace kiseki::raft {

/// What a group must write before it may go on.
struct Append {
  GroupId group;
  std::optional<HardState> hard_state;
  std::vector<Entry> entries;  ///< Consecutive; replaces any suffix from entries[0].index.
  bool sync = true;            ///< False: a hard state with only a new commit may be lazy.
};

/// What the log knows of one group: entries (base.index, last].
struct Recovered {
  ReplicaId replica = 0;  ///< Whose log it is.
  SnapshotMeta base;
  HardState hard_state;
  std::vector<Entry> tail;  ///< In order, each with its owner.
};

/// The write-ahead log of a node, shared by all its groups (docs/formats/log.md). Lives on one core; other
/// cores post to it.
///
/// Appends that arrive while as many flushes are under way as may be are written together by the next one:
/// one fdatasync for all. Flushes overlap, and are answered in the order in which they began. Segments are
/// zero-filled and synced before their first use and recycled afterwards; a record's checksum is seeded with
/// its segment's sequence number, so that what an earlier use left behind never validates.
class Log {
 public:
  struct Options {
    std::filesystem::path directory;
    Bytes segment_size = 64_MiB;     ///< Of new segments; a multiple of 4 KiB.
    std::size_t spare_segments = 1;  ///< Zero-filled ahead of need.
  };

  /// Recovers every group; runs on `executor`, whose clock is `clock`. A torn last batch is dropped with a
  /// warning; damage before a record that proves a later flush is `corrupted`, and says segment and offset.
  /// `disk` and `clock` outlive the log.
  static Task<Result<std::unique_ptr<Log>>> open(disk::Disk& disk, Executor executor, Clock& clock,
                                                 Options options);
  /// Stopped.
  ~Log();

  Executor executor() const;
  /// The recovered groups, once each; moved out.
  std::unordered_map<GroupId, Recovered> take_recovered();
  /// The log of a replica that starts at `base`, with nothing before it. Durable on return. `exists`, also
  /// for an earlier replica of the group.
  Task<Result<>> create(GroupId group, ReplicaId replica, SnapshotMeta base);
  /// Durable on return, for `sync`. A failed write or flush is final: every later append fails too.
  /// `no_space` is not: nothing of this append or of those that wait behind it was written, and all may be
  /// tried again, in order. `not_found` for a group that was never created, `too_large` beyond a quarter of a
  /// segment.
  Task<Result<>> append(Append append);
  /// Bytes of one append at most: a quarter of a segment.
  Bytes append_max() const;
  /// Entries [from, to), as many as fit `limit` bytes, at least one. `stale` when compacted away,
  /// `out_of_range` beyond the last durable entry.
  Task<Result<std::vector<Entry>>> read(GroupId group, Index from, Index to, Bytes limit);
  /// Entries ≤ through.index are not needed any more; the base moves there. Frees segments nobody needs.
  Task<Result<>> compact(GroupId group, SnapshotMeta through);
  /// The group becomes what a snapshot at `base` stands for: every entry is forgotten. Durable on return.
  /// Nothing else of the group is under way.
  Task<Result<>> install(GroupId group, SnapshotMeta base, std::optional<HardState> hard_state);
  /// The group and its entries are forgotten, durably on return; the log allows another of its id then.
  /// `not_found`. Nothing else of the group is under way; what is asked of it meanwhile is `not_found`.
  Task<Result<>> erase(GroupId group);
  /// Bytes that recovery would read: what decides when state is flushed and the log compacted. From any core.
  Bytes live_bytes() const;
  /// The disk has no room for another segment and this one is nearly full: take no new work, only what lets
  /// the log be compacted. From any core.
  bool is_full() const;
  /// Writes what is lazy, and returns when every append is answered. No read is under way, and no call is
  /// made afterwards.
  Task<> stop();

 private:
  class Writer;
  explicit Log(std::unique_ptr<Writer> writer);
  std::unique_ptr<Writer> writer_;
};

}  // namespace kiseki::raft
