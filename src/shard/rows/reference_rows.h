#pragma once

#include "kv/kv_store.h"
#include "raft/types.h"
#include "shard/requests.h"
#include "shard/rows/draft.h"
#include "shard/rows/state_rows.h"

// The rows a node derives from references to chunks (docs/formats/keys.md): where a chunk is referred to, and
// where it was. They are ordered by chunk, not by slot: a garbage round looks chunks up.

namespace kiseki::shard::detail {

/// A row that refers to chunks of its namespace; lives as long as `place`, its encoded key.
struct Referrer {
  NamespaceId ns;
  const std::string& place;
};
/// The row refers to the chunks; in the batch that writes the row itself.
void refer(Draft& draft, const Referrer& from, const std::vector<ChunkReference>& references);
/// It does not any more.
void unrefer(Draft& draft, const Referrer& from, const std::vector<ChunkReference>& references);
void put_dead(Draft& draft, const DeadRow& row);
/// Erases the row if its epoch is below.
Result<> erase_dead(Draft& draft, const DeadRow& row, GcEpoch below);

/// For a replica that is built from rows of a snapshot: what `refer` writes of a row, with the batch that
/// takes the row in.
void ingest_references(kv::Batch& batch, const Referrer& from, const std::vector<ChunkReference>& references);
/// Those of a row of any kind, as it stands in the store; of an intent those that it stages.
Result<std::vector<ChunkReference>> references_in(Kind kind, View value);
/// Such a replica knows nothing of what went before; it judges no round up to `epoch`, which is the shard's.
void mark_rebuilt(kv::Batch& batch, ShardId shard, GcEpoch epoch);
Result<GcEpoch> rebuilt_at(kv::KvStore& store, ShardId shard);

/// Looks references up, over one view of the store.
class ReferenceRows {
 public:
  explicit ReferenceRows(kv::KvStore& store, SlotRange range, const kv::Snapshot* at = nullptr,
                         kv::Blocking blocking = kv::Blocking::allowed)
      : store_(store), range_(range), at_(at), blocking_(blocking) {}

  /// A row in the range refers to the chunk, or one did at `round` or later.
  Result<bool> counts(const ChunkName& chunk, GcEpoch round);
  /// Dead rows in the range with epochs below, from chunk `from` on; a chunk's rows are never parted.
  Result<DeadRows> dead(ChunkName from, GcEpoch below, std::uint32_t rows_max);
  Result<std::vector<DeadRow>> dead_of(const ChunkName& chunk);

 private:
  bool is_here(Slot slot) const noexcept { return slot >= range_.first && slot <= range_.last; }
  Result<bool> refers(const ChunkName& chunk);
  Result<bool> referred(const ChunkName& chunk, GcEpoch round);

  std::unique_ptr<kv::Iterator> iterate(kv::Range range);

  kv::KvStore& store_;
  SlotRange range_;
  const kv::Snapshot* at_;
  kv::Blocking blocking_;
};

}  // namespace kiseki::shard::detail
