#pragma once

#include <unordered_map>
#include <vector>

#include "raft/log/format.h"
#include "raft/log/group_index.h"

namespace kiseki::raft::detail {

/// What is left of a group after the batches seen so far.
struct ReplayedGroup {
  GroupIndex index;
  std::vector<Entry> tail;
};

/// Builds the groups from the batches of the log, in order. Replay may begin at any segment: its first batch
/// names every group.
class Replay {
 public:
  /// `offset` is where `records` stands in the segment. `corrupted` when the records contradict each other.
  Result<> add(const BatchHeader& header, View records, Bytes offset);
  /// The batches so far are not to be counted on.
  void clear() { groups_.clear(); }
  /// `corrupted` when entries are missing.
  Result<> finish() const;
  std::unordered_map<GroupId, ReplayedGroup> take() { return std::move(groups_); }

 private:
  struct Place {
    std::uint64_t segment;
    Bytes offset;  // of the record
    Bytes size;
    FramePtr frame;
  };
  Result<> add(const Record& record, const Place& place);
  static Result<> add_entry(ReplayedGroup& group, Entry entry, const Place& place);
  static void rebase(ReplayedGroup& group, const BaseRecord& record);

  std::unordered_map<GroupId, ReplayedGroup> groups_;
};

}  // namespace kiseki::raft::detail
