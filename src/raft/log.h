#pragma once

#include <filesystem>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/core.h"
#include "base/scope.h"
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
  SnapshotMeta base;
  HardState hard_state;
  std::vector<Entry> tail;  ///< In order, each with its owner.
};

/// The write-ahead log of a node, shared by all its groups (docs/formats/log.md). Lives on one core; other
/// cores post to it.
///
/// Appends that arrive while a flush is under way are written together by the next one: one fdatasync for
/// all. Segments are zero-filled and synced before their first use and recycled afterwards; a record's
/// checksum is seeded with its segment's sequence number, so that what an earlier use left behind never
/// validates.
class Log {
 public:
  struct Options {
    std::filesystem::path directory;
    Bytes segment_size = 64_MiB;
    std::size_t spare_segments = 1;  ///< Zero-filled ahead of need.
  };

  /// Recovers every group. A torn last batch is dropped with a warning; damage before a record that proves a
  /// later flush is `corrupted`, and says segment and offset.
  static Task<Result<std::unique_ptr<Log>>> open(disk::Disk& disk, Core& core, Options options);
  virtual ~Log() = default;

  virtual Executor executor() const = 0;
  /// The recovered groups, once each; moved out.
  virtual std::unordered_map<GroupId, Recovered> take_recovered() = 0;
  /// A group that starts at `base`, with nothing before it. Durable on return.
  virtual Task<Result<>> create(GroupId group, SnapshotMeta base) = 0;
  /// Durable on return, for `sync`. A failed write or flush is final: every later append fails too.
  virtual Task<Result<>> append(Append append) = 0;
  /// Entries [from, to), as many as fit `limit` bytes, at least one. `stale` when compacted away.
  virtual Task<Result<std::vector<Entry>>> read(GroupId group, Index from, Index to, Bytes limit) = 0;
  /// Entries ≤ through.index are not needed any more; the base moves there. Frees segments nobody needs.
  virtual Task<Result<>> compact(GroupId group, SnapshotMeta through) = 0;
  /// Bytes of live segments: what decides when state is flushed and the log compacted.
  virtual Bytes live_bytes() const = 0;
  virtual Task<> stop() = 0;
};

}  // namespace kiseki::raft
