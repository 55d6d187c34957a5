#pragma once

#include <string>
#include <vector>

#include "kv/kv_store.h"
#include "raft/types.h"
#include "shard/proposal.h"

// The state family: what a shard knows besides rows (rule 1.8, docs/formats/transaction.md).

namespace kiseki::shard::detail {

/// A split copies or divides every type but two: nothing of a staged snapshot (split.cc).
enum class StateType : std::uint8_t {
  progress = 1,
  ns = 2,        ///< item: namespace
  fence = 3,     ///< item: session that is not gone
  result = 4,    ///< item: session, sequence
  prepared = 5,  ///< item: session, sequence
  pending = 6,   ///< item: session, the key of a pending row or a lock
  range = 7,
  rebuilt = 16,       ///< Rounds up to this epoch are not judged (reference_rows.h).
  gone = 11,          ///< The sessions of which nothing is left.
  configuration = 8,  ///< The replicas of the group.
  staged = 9,         ///< item: family, key; a row of a snapshot that waits to be installed
  install = 10,       ///< The staged snapshot that is being installed, or waits for it.
  replica = 12,       ///< Which replica of the group is here, or was (replica_row.h).
};

/// What every applied batch rewrites.
struct Progress {
  raft::Index applied = 0;
  raft::Term term = 0;  ///< Of the entry applied last.
  Stamp last;           ///< Of the last commit.
  GcEpoch epoch;

  std::string encode() const;
  static Result<Progress> decode(View bytes);
};

struct NamespaceConfiguration {
  std::uint32_t epoch = 1;
  NamespaceState state = NamespaceState::active;

  std::string encode() const;
  static Result<NamespaceConfiguration> decode(View bytes);
};

/// Of a replica, not of the state that all replicas of the shard have: no snapshot carries it.
bool is_replicas_own(StateType type) noexcept;

/// Every shard's log begins after one entry in the past.
inline constexpr raft::Index first_index = 1;
inline constexpr raft::Term first_term = 1;

/// As the value of a `range` row.
std::string encode(SlotRange range);
Result<SlotRange> decode_range(View bytes);
/// As the value of a `configuration` row.
std::string encode(const raft::ConfState& configuration);
Result<raft::ConfState> decode_configuration(View bytes);

/// What the keys of all of a shard's state rows begin with.
std::string state_prefix(ShardId shard);
std::string state_key(ShardId shard, StateType type);
std::string state_key(ShardId shard, StateType type, std::uint64_t number);
std::string state_key(ShardId shard, StateType type, TransactionId id);
/// Pending rows and locks: what a session leaves behind when it goes.
bool is_of_a_session(Kind kind) noexcept;
/// The index of these: found by session, without a walk over all rows.
std::string session_index_key(ShardId shard, const Key& row);

/// The shards that have a row of this type.
Result<std::vector<ShardId>> shards_with(kv::KvStore& store, StateType type);

/// Ordinary rows of one leaf and kind.
kv::Range rows_of(const LeafAddress& leaf, Kind kind);
/// All keys that begin with `prefix`.
kv::Range range_of(std::string prefix);

}  // namespace kiseki::shard::detail
