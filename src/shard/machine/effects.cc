#include "shard/machine/effects.h"

#include <algorithm>

#include "base/assert.h"
#include "base/planted.h"
#include "shard/rows/reference_rows.h"
#include "shard/rows/state_rows.h"

namespace kiseki::shard::detail {

Result<> Effects::apply(const Operation& operation) {
  switch (operation.type) {
    case Operation::Type::put:
      return put(operation);
    case Operation::Type::erase:
    case Operation::Type::move_out:
      return erase(operation);
    case Operation::Type::touch:
      return touch(operation);
    case Operation::Type::put_stamped:
      return put_stamped(operation);
    case Operation::Type::move:
      return move(operation);
    case Operation::Type::move_in:
      return move_in(operation);
    case Operation::Type::fence:
      return {};  // Of a session, not of a row: the machine's.
  }
  KISEKI_ASSERT(false);
}

void Effects::write(const Key& key, const Record& record) {
  std::string place = key.encode();
  refer(draft_, {key.leaf.ns, place}, record.references);
  draft_.put(family_of(key.kind), std::move(place), record.encode());
  if (is_of_a_session(key.kind)) draft_.put(family_state, session_index_key(shard_, key), {});
}

void Effects::remove(const Key& key, const Record& old) {
  std::string place = key.encode();
  unrefer(draft_, {key.leaf.ns, place}, old.references);
  draft_.erase(family_of(key.kind), std::move(place));
  if (is_of_a_session(key.kind)) draft_.erase(family_state, session_index_key(shard_, key));
  if (key.kind == Kind::guard) dropped_.insert(key.leaf);
  count(key, old, -1);
}

void Effects::count(const Key& key, const Record& record, int sign) {
  if (key.kind != Kind::entry) return;
  auto& change = leaves_[key.leaf];
  change.entries += sign;
  if (record.type == EntryType::directory) change.subdirectories += sign;
  change.entry_bytes += sign * static_cast<std::int64_t>(record.encoded_size());
  change.logical += sign > 0 ? record.logical : 0 - record.logical;
}

void Effects::changed(const Key& key, std::uint64_t modified_ms) {
  if (key.kind != Kind::entry) return;
  ++leaves_[key.leaf].changes;
  raise_time(key.leaf, modified_ms);
}

void Effects::raise_time(const LeafAddress& leaf, std::uint64_t modified_ms) {
  auto& latest = leaves_[leaf].modified_ms;
  latest = std::max(latest, modified_ms);
}

/// Dead rows are written also when the same transaction keeps the chunk elsewhere: one too many only makes a
/// collection round later, one too few loses data (rule 6.6). So also when a row leaves for another shard,
/// which may have been asked before it came there.
void Effects::bury(const Key& key, const Record& old, const Record* next) {
  for (const auto& reference : old.references) {
    const ChunkName chunk = name_of(key.leaf.ns, reference);
    const auto is_same = [&](const ChunkReference& other) { return name_of(key.leaf.ns, other) == chunk; };
    if (next != nullptr && std::ranges::any_of(next->references, is_same)) continue;
    put_dead(draft_, {.chunk = chunk, .slot = slot_of(key.leaf), .epoch = when_.epoch});
  }
}

Result<> Effects::put(const Operation& operation) {
  const auto old = draft_.record(operation.key);
  if (!old) return fail(old.error());
  Record record = operation.record;
  record.version = when_.version;
  record.change = (*old ? (*old)->change : 0) + 1;
  if (record.guard) {
    record.guard->birth = *old && (*old)->guard ? (*old)->guard->birth : when_.version;
  }
  if (*old) {
    count(operation.key, **old, -1);
    unrefer(draft_, {operation.key.leaf.ns, operation.key.encode()}, (*old)->references);
    bury(operation.key, **old, &record);
  }
  write(operation.key, record);
  count(operation.key, record, 1);
  changed(operation.key, when_.time_ms);
  if (operation.key.kind == Kind::guard) raise_time(operation.key.leaf, when_.time_ms);
  return {};
}

Result<> Effects::put_stamped(const Operation& operation) {
  Key key = operation.key;
  key.stamp = when_.stamp;
  Record record = operation.record;
  record.version = when_.version;
  record.change = 1;
  write(key, record);
  return {};
}

Result<> Effects::erase(const Operation& operation) {
  const auto old = draft_.record(operation.key);
  if (!old) return fail(old.error());
  if (!*old) return {};
  const bool moves = operation.type == Operation::Type::move_out;
  if (!moves || !KISEKI_PLANTED("6.6 a move to another shard leaves no dead row")) {
    bury(operation.key, **old, nullptr);
  }
  remove(operation.key, **old);
  changed(operation.key, moves ? 0 : when_.time_ms);
  return {};
}

Result<> Effects::touch(const Operation& operation) {
  const auto old = draft_.record(operation.key);
  if (!old) return fail(old.error());
  if (!*old) return {};
  Record record = **old;
  record.logical = std::max(record.logical, operation.touch.logical_at_least);
  ++record.change;
  count(operation.key, **old, -1);
  count(operation.key, record, 1);
  changed(operation.key, operation.touch.modified_at_least_ms);
  write(operation.key, record);
  return {};
}

Result<> Effects::move(const Operation& operation) {
  const auto old = draft_.record(operation.key);
  if (!old) return fail(old.error());
  if (!*old) return {};
  remove(operation.key, **old);
  Record moved = **old;
  if (KISEKI_PLANTED("1.5 a move changes the version")) moved.version = when_.version;
  write(operation.to, moved);
  count(operation.to, **old, 1);
  changed(operation.key, 0);
  changed(operation.to, 0);
  return {};
}

Result<> Effects::move_in(const Operation& operation) {
  write(operation.key, operation.record);
  count(operation.key, operation.record, KISEKI_PLANTED("2.1 a split counts what it moves twice") ? 2 : 1);
  changed(operation.key, 0);
  return {};
}

Result<> Effects::finish_leaf(const LeafAddress& leaf, const Change& change) {
  auto counters = draft_.counters(leaf);
  if (!counters) return fail(std::move(counters).error());
  const bool had_entries = counters->entries > 0;
  const auto add = [](std::uint64_t& counter, std::int64_t delta) {
    counter += static_cast<std::uint64_t>(delta);
    KISEKI_ASSERT(static_cast<std::int64_t>(counter) >= 0);
  };
  add(counters->entries, change.entries);
  add(counters->subdirectories, change.subdirectories);
  add(counters->entry_bytes, change.entry_bytes);
  counters->logical += change.logical;
  counters->change += change.changes;
  counters->modified_ms = std::max(counters->modified_ms, change.modified_ms);
  const std::string row = key(leaf, Kind::counters).encode();
  const bool is_dropped = dropped_.contains(leaf);
  if (is_dropped && counters->entries == 0) {
    draft_.erase(family_rows, row);
    return {};
  }
  draft_.put(family_rows, row, counters->encode());
  if (had_entries && counters->entries == 0) {
    Key feed = key(leaf, Kind::feed, std::string(1, static_cast<char>(Event::leaf_emptied)));
    feed.stamp = when_.stamp;
    Record record;
    record.version = when_.version;
    write(feed, record);
  }
  return {};
}

Result<> Effects::finish() {
  for (const auto& leaf : dropped_) leaves_.try_emplace(leaf);
  for (const auto& [leaf, change] : leaves_) KISEKI_TRY(finish_leaf(leaf, change));
  return {};
}

}  // namespace kiseki::shard::detail
