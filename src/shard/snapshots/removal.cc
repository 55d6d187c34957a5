#include "shard/snapshots/removal.h"

#include "shard/machine/machine.h"
#include "shard/rows/families.h"
#include "shard/rows/replica_row.h"

namespace kiseki::shard::detail {

namespace {

/// A replica that is gone, by shard.
struct Removed {
  ShardId shard;
  ReplicaRow row;
};

Result<std::vector<Removed>> all_removed(kv::KvStore& store) {
  std::vector<Removed> found;
  const auto shards = shards_with(store, StateType::replica);
  if (!shards) return fail(shards.error());
  for (const ShardId shard : *shards) {
    const auto row = ReplicaRow::read(store, shard);
    if (!row) return fail(row.error());
    if (*row && (*row)->state == ReplicaRow::State::removed) found.push_back({.shard = shard, .row = **row});
  }
  return found;
}

Result<SlotRange> range_of_shard(kv::KvStore& store, ShardId shard) {
  const auto bytes = store.get(family_state, as_view(state_key(shard, StateType::range)));
  if (!bytes) return fail(bytes.error());
  return *bytes ? decode_range(as_view(**bytes)) : Result<SlotRange>(no_slots);
}

bool overlap(SlotRange one, SlotRange other) {
  return one != no_slots && other != no_slots && one.first <= other.last && other.first <= one.last;
}

}  // namespace

Result<Removal> Removal::begin(kv::KvStore& store, ShardId shard) {
  const auto range = range_of_shard(store, shard);
  if (!range) return fail(range.error());
  const auto known = ReplicaRow::read(store, shard);
  if (!known) return fail(known.error());
  const ReplicaRow row{
      .id = known->value_or(ReplicaRow{}).id, .state = ReplicaRow::State::removed, .erasing = *range};
  kv::Batch batch;
  batch.erase_range(family_state, range_of(state_prefix(shard)));
  batch.put(family_state, ReplicaRow::key(shard), row.encode());
  KISEKI_TRY(store.write(batch));
  return Removal(store, shard, row);
}

/// Rows, then the row without them.
Result<bool> Removal::step() {
  if (row_.erasing == no_slots) return false;
  const auto more = erasure_.step();
  if (!more || *more) return more;
  kv::Batch batch;
  row_.erasing = no_slots;
  batch.put(family_state, ReplicaRow::key(shard_), row_.encode());
  KISEKI_TRY(store_.write(batch));
  return false;
}

Result<> finish_removals(kv::KvStore& store) {
  const auto removed = all_removed(store);
  if (!removed) return fail(removed.error());
  for (const Removed& one : *removed) {
    Removal removal(store, one.shard, one.row);
    KISEKI_TRY(carry_out(removal));
  }
  return {};
}

Result<bool> was_removed(kv::KvStore& store, ShardId shard) {
  const auto row = ReplicaRow::read(store, shard);
  if (!row) return fail(row.error());
  return *row && (*row)->state == ReplicaRow::State::removed;
}

Result<bool> is_taken(kv::KvStore& store, SlotRange range, ShardId except) {
  const auto shards = Machine::all(store);
  if (!shards) return fail(shards.error());
  for (const ShardId shard : *shards) {
    if (shard == except) continue;
    const auto other = range_of_shard(store, shard);
    if (!other) return fail(other.error());
    if (overlap(range, *other)) return true;
  }
  const auto removed = all_removed(store);
  if (!removed) return fail(removed.error());
  return std::ranges::any_of(*removed,
                             [range](const Removed& one) { return overlap(range, one.row.erasing); });
}

}  // namespace kiseki::shard::detail
