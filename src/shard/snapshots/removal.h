#pragma once

#include <vector>

#include "kv/kv_store.h"
#include "shard/rows/state_rows.h"
#include "shard/snapshots/erasure.h"

// Replicas whose group goes on without them: their rows go, and a mark stays by which they never come back
// (docs/formats/transaction.md).

namespace kiseki::shard::detail {

/// The replica of `shard` goes: its state and mark in one write, then its rows in steps. What a crash
/// interrupts, `finish_removals` does at the next start; until it is done, the slots are taken.
class Removal {
 public:
  static Result<Removal> begin(kv::KvStore& store, ShardId shard);
  /// False when only the mark is left.
  Result<bool> step();

 private:
  friend Result<> finish_removals(kv::KvStore& store);
  Removal(kv::KvStore& store, ShardId shard, SlotRange range)
      : store_(store), shard_(shard), is_done_(range == no_slots), erasure_(store, range) {}

  kv::KvStore& store_;
  ShardId shard_;
  bool is_done_;
  Erasure erasure_;
};
Result<> finish_removals(kv::KvStore& store);
Result<bool> was_removed(kv::KvStore& store, ShardId shard);
/// Whether some of these slots belong to another replica here, or to one that is going.
Result<bool> is_taken(kv::KvStore& store, SlotRange range, ShardId except);

}  // namespace kiseki::shard::detail
