#pragma once

#include <string>

#include "kv/kv_store.h"
#include "raft/types.h"
#include "shard/detail/payload.h"

// The state family: what a shard knows besides rows (rule 1.8, docs/formats/transaction.md).

namespace kiseki::shard::detail {

enum class StateType : std::uint8_t {
  progress = 1,
  space = 2,     ///< item: namespace
  fence = 3,     ///< item: session
  result = 4,    ///< item: session, sequence
  prepared = 5,  ///< item: session, sequence
  pending = 6,   ///< item: session, the key of a pending row
  range = 7,
};

/// What every applied batch rewrites.
struct Progress {
  raft::Index applied = 0;
  Stamp last;  ///< Of the last commit.
  GcEpoch epoch;

  std::string encode() const;
  static Result<Progress> decode(View bytes);
};

struct SpaceConfiguration {
  std::uint32_t epoch = 1;
  SpaceState state = SpaceState::active;

  std::string encode() const;
  static Result<SpaceConfiguration> decode(View bytes);
};

/// The slots of a shard, inclusive.
struct SlotRange {
  Slot first = 0, last = 0;

  std::string encode() const;
  static Result<SlotRange> decode(View bytes);
};

std::string state_key(ShardId shard, StateType type);
std::string state_key(ShardId shard, StateType type, std::uint64_t number);
std::string state_key(ShardId shard, StateType type, TransactionId id);
/// Index of pending rows: found by session, without a walk over all rows.
std::string pending_index_key(ShardId shard, const Key& row);

/// Ordinary rows of one leaf and kind.
kv::Range rows_of(const LeafAddress& leaf, Kind kind);
/// All keys that begin with `prefix`.
kv::Range range_of(std::string prefix);

}  // namespace kiseki::shard::detail
