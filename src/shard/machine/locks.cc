#include "shard/machine/locks.h"

#include "base/assert.h"
#include "base/planted.h"
#include "shard/rows/reference_rows.h"

namespace kiseki::shard::detail {

std::vector<Prepared::Lock> locks_of(const Transaction& branch) {
  std::map<Key, bool> exclusive;
  for (const auto& assertion : branch.asserts) {
    if (KISEKI_PLANTED("4.1 asserts take no locks")) continue;
    if (assertion.type != Assert::Type::prefix_empty) exclusive.try_emplace(assertion.key, false);
  }
  for (const auto& operation : branch.operations) {
    if (operation.type == Operation::Type::put_stamped) continue;
    exclusive[operation.key] = true;
    if (operation.type == Operation::Type::move) exclusive[operation.to] = true;
  }
  std::vector<Prepared::Lock> locks;
  for (const auto& [row, is_exclusive] : exclusive) locks.push_back({.key = row, .exclusive = is_exclusive});
  return locks;
}

Result<> Locks::load(kv::KvStore& store) {
  const auto range = range_of(state_key(shard_, StateType::prepared));
  const auto rows = store.iterate(family_state, range);
  for (rows->seek(as_view(range.from)); rows->valid(); rows->next()) {
    auto prepared = Prepared::decode(rows->value());
    if (!prepared) return fail(std::move(prepared).error());
    enter(*prepared);
  }
  return rows->status();
}

void Locks::enter(const Prepared& prepared) {
  const TransactionId id = prepared.holder.id;
  for (const auto& lock : prepared.locks) {
    auto& users = users_[lock.key.encode()];
    if (lock.exclusive) {
      users.writer = id;
    } else {
      users.readers.push_back(id);
    }
  }
  prepared_.emplace(id, prepared);
}

const Prepared* Locks::find(TransactionId id) const {
  const auto found = prepared_.find(id);
  return found == prepared_.end() ? nullptr : &found->second;
}

const Holder* Locks::writer_of(const Key& row) const {
  if (users_.empty()) return nullptr;
  const auto found = users_.find(row.encode());
  if (found == users_.end() || !found->second.writer) return nullptr;
  return &prepared_.at(*found->second.writer).holder;
}

const Holder* Locks::user_of(const Key& row) const {
  if (users_.empty()) return nullptr;
  const auto found = users_.find(row.encode());
  if (found == users_.end()) return nullptr;
  const auto& users = found->second;
  return &prepared_.at(users.writer ? *users.writer : users.readers.front()).holder;
}

std::vector<const Holder*> Locks::writers_in(const LeafAddress& leaf, Kind kind) const {
  std::vector<const Holder*> writers;
  if (users_.empty()) return writers;
  const auto range = rows_of(leaf, kind);
  for (auto at = users_.lower_bound(range.from); at != users_.end() && at->first < range.to; ++at) {
    if (at->second.writer) writers.push_back(&prepared_.at(*at->second.writer).holder);
  }
  return writers;
}

const Holder* Locks::any_of(SessionId session) const {
  const auto found = prepared_.lower_bound({.session = session, .sequence = 0});
  return found == prepared_.end() || found->first.session != session ? nullptr : &found->second.holder;
}

bool Locks::is_full(const Key& row) const {
  const auto found = users_.find(row.encode());
  return found != users_.end() && found->second.readers.size() >= Intent::shared_max;
}

Result<> Locks::share(Draft& draft, const Holder& holder, const Key& row) {
  const std::string place = intent_key(row).encode();
  const auto bytes = draft.get(family_rows, place);
  if (!bytes) return fail(bytes.error());
  Intent intent;
  if (*bytes) {
    auto others = Intent::decode(as_view(**bytes));
    if (!others) return fail(std::move(others).error());
    intent = std::move(*others);
  }
  intent.holders.push_back(holder);
  draft.put(family_rows, place, intent.encode());
  return {};
}

Result<> Locks::take(Draft& draft, Holder holder, Stamp stamp, const Transaction& branch) {
  Prepared prepared{.holder = std::move(holder),
                    .stamp = stamp,
                    .time_ms = branch.time_ms,
                    .namespaces = branch.namespaces,
                    .locks = locks_of(branch),
                    .unlocked = {}};
  for (const auto& lock : prepared.locks) {
    if (!lock.exclusive) KISEKI_TRY(share(draft, prepared.holder, lock.key));
  }
  Intent intent;
  intent.holders.push_back(prepared.holder);
  for (const auto& operation : branch.operations) {
    if (operation.type == Operation::Type::put_stamped) {
      prepared.unlocked.push_back(operation);
      continue;
    }
    intent.mode = Intent::Mode::exclusive;
    intent.staged = operation;
    std::string place = intent_key(operation.key).encode();
    // What is staged counts as referred to from now on (rule 6.6).
    if (!KISEKI_PLANTED("6.6 prepared references are not counted")) {
      refer(draft, {operation.key.leaf.ns, place}, operation.record.references);
    }
    draft.put(family_rows, std::move(place), intent.encode());
    if (operation.type != Operation::Type::move) continue;
    intent.mode = Intent::Mode::target;
    intent.staged.reset();
    draft.put(family_rows, intent_key(operation.to).encode(), intent.encode());
  }
  draft.put(family_state, state_key(shard_, StateType::prepared, prepared.holder.id), prepared.encode());
  enter(prepared);
  return {};
}

/// A move that crosses the edge becomes its two halves; the row is locked, so the record is the last one.
Result<> Locks::divide_moves(Draft& draft, const Prepared& prepared, SlotRange upper) {
  for (const auto& lock : prepared.locks) {
    if (!lock.exclusive) continue;
    const auto bytes = draft.get(family_rows, intent_key(lock.key).encode());
    if (!bytes) return fail(bytes.error());
    if (!*bytes) return fail(Errc::corrupted, "an intent is missing");
    auto intent = Intent::decode(as_view(**bytes));
    if (!intent) return fail(std::move(intent).error());
    if (!intent->staged || intent->staged->type != Operation::Type::move) continue;
    const Key from = intent->staged->key, to = intent->staged->to;
    if (upper.contains(slot_of(from.leaf)) == upper.contains(slot_of(to.leaf))) continue;
    intent->staged->type = Operation::Type::move_out;
    draft.put(family_rows, intent_key(from).encode(), intent->encode());
    auto record = draft.record(from);
    if (!record) return fail(std::move(record).error());
    if (!*record) continue;
    intent->staged = Operation{};
    intent->staged->type = Operation::Type::move_in;
    intent->staged->key = to;
    intent->staged->record = std::move(**record);
    std::string place = intent_key(to).encode();
    refer(draft, {to.leaf.ns, place}, intent->staged->record.references);
    draft.put(family_rows, std::move(place), intent->encode());
  }
  return {};
}

Result<> Locks::divide(Draft& draft, ShardId child, SlotRange upper) {
  const auto lies_above = [upper](const Key& row) { return upper.contains(slot_of(row.leaf)); };
  std::map<TransactionId, Prepared> before = std::exchange(prepared_, {});
  users_.clear();
  for (auto& [id, ours] : before) {
    KISEKI_TRY(divide_moves(draft, ours, upper));
    Prepared theirs = ours;
    std::erase_if(theirs.locks, [&](const auto& lock) { return !lies_above(lock.key); });
    std::erase_if(theirs.unlocked, [&](const auto& one) { return !lies_above(one.key); });
    if (theirs.locks.empty() && theirs.unlocked.empty()) {
      enter(ours);
      continue;
    }
    if (!KISEKI_PLANTED("1.8 a split leaves what is prepared behind")) {
      draft.put(family_state, state_key(child, StateType::prepared, id), theirs.encode());
    }
    std::erase_if(ours.locks, [&](const auto& lock) { return lies_above(lock.key); });
    std::erase_if(ours.unlocked, [&](const auto& one) { return lies_above(one.key); });
    if (ours.locks.empty() && ours.unlocked.empty()) {
      draft.erase(family_state, state_key(shard_, StateType::prepared, id));
      continue;
    }
    draft.put(family_state, state_key(shard_, StateType::prepared, id), ours.encode());
    enter(ours);
  }
  return {};
}

Result<std::optional<Operation>> Locks::unstage(Draft& draft, TransactionId id, const Key& row) {
  const std::string place = intent_key(row).encode();
  const auto bytes = draft.get(family_rows, place);
  if (!bytes) return fail(bytes.error());
  if (!*bytes) return fail(Errc::corrupted, "an intent is missing");
  auto intent = Intent::decode(as_view(**bytes));
  if (!intent) return fail(std::move(intent).error());
  if (intent->staged) unrefer(draft, {row.leaf.ns, place}, intent->staged->record.references);
  std::erase_if(intent->holders, [id](const Holder& holder) { return holder.id == id; });
  if (intent->holders.empty()) {
    draft.erase(family_rows, place);
  } else {
    draft.put(family_rows, place, intent->encode());
  }
  return std::move(intent->staged);
}

Result<std::vector<Operation>> Locks::release(Draft& draft, TransactionId id) {
  const auto found = prepared_.find(id);
  KISEKI_ASSERT(found != prepared_.end());
  std::vector<Operation> staged = std::move(found->second.unlocked);
  for (const auto& lock : found->second.locks) {
    auto operation = unstage(draft, id, lock.key);
    if (!operation) return fail(std::move(operation).error());
    const auto users = users_.find(lock.key.encode());
    if (lock.exclusive) {
      users->second.writer.reset();
      if (*operation) staged.push_back(std::move(**operation));
    } else {
      std::erase(users->second.readers, id);
    }
    if (!users->second.writer && users->second.readers.empty()) users_.erase(users);
  }
  draft.erase(family_state, state_key(shard_, StateType::prepared, id));
  prepared_.erase(found);
  return staged;
}

}  // namespace kiseki::shard::detail
