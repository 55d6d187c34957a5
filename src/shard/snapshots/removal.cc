#include "shard/snapshots/removal.h"

#include "base/codec.h"
#include "shard/machine/machine.h"
#include "shard/rows/families.h"
#include "shard/rows/row_codec.h"

namespace kiseki::shard::detail {

namespace {

constexpr std::uint8_t format = 1;

/// The mark: while the rows are going, which.
struct Removed {
  SlotRange range = no_slots;  ///< Rows here may still stand.

  std::string encode() const {
    std::string bytes;
    Encoder(bytes).integer(format).integer(range.first).integer(range.last);
    return bytes;
  }
  static Result<Removed> decode(View bytes) {
    auto in = begin_value(bytes, format, "removed replica");
    if (!in) return fail(std::move(in).error());
    Removed removed;
    removed.range.first = in->integer<Slot>();
    removed.range.last = in->integer<Slot>();
    if (removed.range != no_slots && removed.range.first > removed.range.last) in->reject();
    KISEKI_TRY(in->finish("removed replica"));
    return removed;
  }
};

struct Marked {
  ShardId shard;
  Removed removed;
};

Result<std::vector<Marked>> all_marked(kv::KvStore& store) {
  std::vector<Marked> found;
  const auto shards = shards_with(store, StateType::removed);
  if (!shards) return fail(shards.error());
  for (const ShardId shard : *shards) {
    const auto bytes = store.get(family_state, as_view(state_key(shard, StateType::removed)));
    if (!bytes) return fail(bytes.error());
    if (!*bytes) continue;
    const auto removed = Removed::decode(as_view(**bytes));
    if (!removed) return fail(removed.error());
    found.push_back({.shard = shard, .removed = *removed});
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
  kv::Batch batch;
  batch.erase_range(family_state, range_of(state_prefix(shard)));
  batch.put(family_state, state_key(shard, StateType::removed), Removed{.range = *range}.encode());
  KISEKI_TRY(store.write(batch));
  return Removal(store, shard, *range);
}

/// Rows, then the mark without them.
Result<bool> Removal::step() {
  if (is_done_) return false;
  const auto more = erasure_.step();
  if (!more || *more) return more;
  kv::Batch batch;
  batch.put(family_state, state_key(shard_, StateType::removed), Removed{}.encode());
  KISEKI_TRY(store_.write(batch));
  is_done_ = true;
  return false;
}

Result<> finish_removals(kv::KvStore& store) {
  const auto marked = all_marked(store);
  if (!marked) return fail(marked.error());
  for (const Marked& one : *marked) {
    Removal removal(store, one.shard, one.removed.range);
    KISEKI_TRY(carry_out(removal));
  }
  return {};
}

Result<bool> was_removed(kv::KvStore& store, ShardId shard) {
  const auto bytes = store.get(family_state, as_view(state_key(shard, StateType::removed)));
  if (!bytes) return fail(bytes.error());
  return bytes->has_value();
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
  const auto marked = all_marked(store);
  if (!marked) return fail(marked.error());
  return std::ranges::any_of(*marked,
                             [range](const Marked& one) { return overlap(range, one.removed.range); });
}

}  // namespace kiseki::shard::detail
