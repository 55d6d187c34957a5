#pragma once

#include <optional>
#include <string>

#include "kv/kv_store.h"
#include "shard/rows/state_rows.h"

namespace kiseki::shard::detail {

/// Which replica of a shard this node has, or had last (docs/formats/transaction.md). Written with the rows
/// of a replica that begins, and before its log; no snapshot replaces it.
struct ReplicaRow {
  enum class State : std::uint8_t {
    here = 1,
    removed = 2,  ///< Its group goes on without it. No replica of this id, or of an earlier one, comes back.
  };
  raft::ReplicaId id = 0;
  State state = State::here;
  SlotRange erasing = no_slots;  ///< Of a removed one: rows here may still stand.

  static std::string key(ShardId shard) { return state_key(shard, StateType::replica); }
  std::string encode() const;
  static Result<ReplicaRow> decode(View bytes);
  /// Nothing where no replica of the shard has ever been.
  static Result<std::optional<ReplicaRow>> read(kv::KvStore& store, ShardId shard);
};

}  // namespace kiseki::shard::detail
