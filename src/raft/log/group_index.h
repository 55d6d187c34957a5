#pragma once

#include <deque>
#include <optional>

#include "base/units.h"
#include "raft/log/format.h"

namespace kiseki::raft::detail {

/// Consecutive entries of one group that stand together in one batch. After a truncation `size` covers more
/// than `last`.
struct Run {
  Index first;
  Index last;
  std::uint64_t segment;
  Bytes offset;  ///< In the segment.
  Bytes size;
};

/// Where the durable entries of one group stand, and the rest of what the log knows of it.
class GroupIndex {
 public:
  HardState hard_state;

  const SnapshotMeta& base() const { return base_.meta; }
  ReplicaId replica() const { return base_.replica; }
  /// As a checkpoint says it.
  const BaseRecord& record() const { return base_; }
  /// The last durable entry.
  Index last() const { return runs_.empty() ? base_.meta.index : runs_.back().last; }
  /// Replaces any suffix from run.first. A run that leaves a hole replaces everything: the entries between
  /// were compacted away, or `is_connected` turns false.
  void append(const Run& run);
  void rebase(const BaseRecord& record);
  /// The entries begin right above the base.
  bool is_connected() const { return runs_.empty() || runs_.front().first == base_.meta.index + 1; }
  /// The run that holds `index`, which lies in (base, last].
  const Run& find(Index index) const;
  /// The lowest segment with an entry of this group.
  std::optional<std::uint64_t> first_segment() const;

 private:
  void truncate(Index from);

  BaseRecord base_;
  std::deque<Run> runs_;
};

}  // namespace kiseki::raft::detail
