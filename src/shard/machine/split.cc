#include <algorithm>

#include "base/codec.h"
#include "base/planted.h"
#include "shard/machine/machine.h"

// What a shard gives to the one that a split makes (rule 1.8). Rows under leaves stay where they are: the
// store has them by their keys. All of it is one write, with the parent's progress.

namespace kiseki::shard::detail {

namespace {

/// Rows of a state type, copied: the store changes meanwhile.
Result<std::vector<std::pair<std::string, std::string>>> rows_of_type(kv::KvStore& store, ShardId shard,
                                                                      StateType type) {
  std::vector<std::pair<std::string, std::string>> found;
  const auto range = range_of(state_key(shard, type));
  const auto rows = store.iterate(family_state, range);
  for (rows->seek(as_view(range.from)); rows->valid(); rows->next()) {
    found.emplace_back(as_text(rows->key().subspan(range.from.size())), as_text(rows->value()));
  }
  KISEKI_TRY(rows->status());
  return found;
}

}  // namespace

Result<Answer> Machine::apply_body(Draft& draft, Stamp, const Split& split) {
  // Ids rise: what was there before is nobody's child.
  if (split.child <= shard_) return of_type(Answer::Type::invalid);
  const bool is_inside = range_.contains(split.first) && split.first > range_.first;
  if (!is_inside) return of_type(Answer::Type::wrong_shard);
  // The replicas of the child are those of one configuration.
  if (!configuration_->voters_outgoing.empty()) return of_type(Answer::Type::full);
  const auto taken = is_there(store_, split.child);
  if (!taken) return fail(taken.error());
  const SlotRange upper{.first = split.first, .last = range_.last};
  KISEKI_TRY(copy_to_child(draft, split.child, upper));
  range_.last = static_cast<Slot>(split.first - 1);
  draft.put(family_state, state_key(shard_, StateType::range), encode(range_));
  if (*taken && !KISEKI_PLANTED("1.8 a split writes over another shard")) {
    // Whose id was given out twice. What every replica does of its own shard is the same all the same.
    draft.take_back(family_state, state_prefix(split.child));
    return Answer{};
  }
  children_.push_back(split.child);
  return Answer{};
}

Result<> Machine::copy_to_child(Draft& draft, ShardId child, SlotRange upper) {
  const Progress begin{.applied = first_index,
                       .term = first_term,
                       .last = KISEKI_PLANTED("1.8 a child forgets the stamp") ? Stamp{} : progress_.last,
                       .epoch = progress_.epoch};
  draft.put(family_state, state_key(child, StateType::range), encode(upper));
  draft.put(family_state, state_key(child, StateType::progress), begin.encode());
  draft.put(family_state, state_key(child, StateType::configuration), encode(*configuration_));
  for (const StateType type : {StateType::ns, StateType::rebuilt, StateType::replica}) {
    const auto rows = rows_of_type(store_, shard_, type);
    if (!rows) return fail(rows.error());
    for (const auto& [item, value] : *rows) draft.put(family_state, state_key(child, type) + item, value);
  }
  const auto pending = rows_of_type(store_, shard_, StateType::pending);
  if (!pending) return fail(pending.error());
  for (const auto& [item, value] : *pending) {
    Decoder in(as_view(item));
    in.raw(sizeof(std::uint64_t));
    if (!upper.contains(in.integer<Slot>())) continue;
    draft.put(family_state, state_key(child, StateType::pending) + item, value);
    draft.erase(family_state, state_key(shard_, StateType::pending) + item);
  }
  sessions_.copy(draft, child, upper);
  return locks_.divide(draft, child, upper);
}

}  // namespace kiseki::shard::detail
