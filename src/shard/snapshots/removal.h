#pragma once

#include <vector>

#include "kv/kv_store.h"
#include "shard/rows/replica_row.h"
#include "shard/snapshots/erasure.h"

// Replicas whose group goes on without them: their rows go, and their ids stay, by which they never come back
// (docs/formats/transaction.md).

namespace kiseki::shard::detail {

/// The replica of `shard` goes: its state, and that it is removed, in one write, then its rows in steps. What
/// a crash interrupts, `finish_removals` does at the next start; until it is done, the slots are taken.
class Removal {
 public:
  static Result<Removal> begin(kv::KvStore& store, ShardId shard);
  /// False when only its id is left.
  Result<bool> step();

 private:
  friend Result<> finish_removals(kv::KvStore& store);
  Removal(kv::KvStore& store, ShardId shard, const ReplicaRow& row)
      : store_(store), shard_(shard), row_(row), erasure_(store, row.erasing) {}

  kv::KvStore& store_;
  ShardId shard_;
  ReplicaRow row_;  // as it stands
  Erasure erasure_;
};
Result<> finish_removals(kv::KvStore& store);
Result<bool> was_removed(kv::KvStore& store, ShardId shard);
/// Whether some of these slots belong to another replica here, or to one that is going.
Result<bool> is_taken(kv::KvStore& store, SlotRange range, ShardId except);

}  // namespace kiseki::shard::detail
