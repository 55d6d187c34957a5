#pragma once

#include <map>
#include <set>

#include "shard/rows/draft.h"
#include "shard/rows/prepared.h"

namespace kiseki::shard::detail {

/// Carries operations out in a draft, with everything the shard keeps itself: versions, counters of leaves,
/// feed rows of emptied leaves, dead rows of references that go, the index of pending rows.
class Effects {
 public:
  struct When {
    Stamp version;          ///< What the rows put get as their version.
    Stamp stamp;            ///< The shard's own, for rows named by one; the same on one shard.
    std::uint64_t time_ms;  ///< The writer's.
    GcEpoch epoch;          ///< The shard's garbage epoch.
  };
  Effects(ShardId shard, Draft& draft, When when) : shard_(shard), draft_(draft), when_(when) {}

  Result<> apply(const Operation& operation);
  /// After the last operation.
  Result<> finish();

 private:
  struct Change {
    std::int64_t entries = 0, subdirectories = 0, entry_bytes = 0;
    std::uint64_t logical = 0;  ///< Added and taken away modulo 2^64: sizes are the writers' own.
    std::uint64_t changes = 0;
    std::uint64_t modified_ms = 0;
  };
  Result<> put(const Operation& operation);
  Result<> put_stamped(const Operation& operation);
  Result<> erase(const Operation& operation);
  Result<> touch(const Operation& operation);
  Result<> move(const Operation& operation);
  Result<> move_in(const Operation& operation);

  void write(const Key& key, const Record& record);
  void remove(const Key& key, const Record& old);
  /// Counts an entry that came (`sign` 1) or went (-1).
  void count(const Key& key, const Record& record, int sign);
  void changed(const Key& key, std::uint64_t modified_ms);
  void raise_time(const LeafAddress& leaf, std::uint64_t modified_ms);
  void bury(const Key& key, const Record& old, const Record* next);
  Result<> finish_leaf(const LeafAddress& leaf, const Change& change);

  ShardId shard_;
  Draft& draft_;
  When when_;
  std::map<LeafAddress, Change> leaves_;
  std::set<LeafAddress> dropped_;  // leaves whose guard went
};

}  // namespace kiseki::shard::detail
