#pragma once

#include <vector>

#include "kv/kv_store.h"
#include "shard/rows/state_rows.h"

// Replicas whose group goes on without them: their rows go, and a mark stays by which they never come back
// (docs/formats/transaction.md).

namespace kiseki::shard::detail {

/// The replica of `shard` goes, with all its rows. What a crash interrupts, `finish_removals` does at the
/// next start; until it is done, the slots are taken.
Result<> remove_replica(kv::KvStore& store, ShardId shard);
Result<> finish_removals(kv::KvStore& store);
Result<bool> was_removed(kv::KvStore& store, ShardId shard);
/// Whether some of these slots belong to another replica here, or to one that is going.
Result<bool> is_taken(kv::KvStore& store, SlotRange range, ShardId except);

}  // namespace kiseki::shard::detail
