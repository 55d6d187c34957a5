#include "shard/machine/machine.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/planted.h"
#include "shard/machine/effects.h"
#include "shard/rows/reference_rows.h"

namespace kiseki::shard::detail {

namespace {

Answer blocked(Holder holder) {
  Answer answer;
  answer.type = Answer::Type::blocked;
  answer.holder = std::move(holder);
  return answer;
}

Answer decided(Outcome outcome) {
  Answer answer;
  answer.outcome = outcome;
  return answer;
}

Outcome outcome_of(Verdict verdict, Stamp stamp) {
  if (verdict == Verdict::committed) return {.refusal = Refusal::none, .assertion = 0, .stamp = stamp};
  return {.refusal = Refusal::aborted, .assertion = 0, .stamp = {}};
}

/// These look at the store, where what the entries before have left has to be.
bool reads_store(const Proposal& proposal) {
  const bool trims = std::holds_alternative<Trim>(proposal.body) &&
                     !KISEKI_PLANTED("1.8 what is applied together is not seen");
  return trims || std::holds_alternative<Split>(proposal.body);
}

bool names(const Transaction& branch, const Key& row) {
  const auto is_it = [&row](const auto& one) { return one.key == row; };
  return std::ranges::any_of(branch.operations, is_it) || std::ranges::any_of(branch.asserts, is_it);
}

/// Whether every row lies in these slots.
bool holds(SlotRange range, const Transaction& transaction) {
  const LeafAddress* last = nullptr;
  const auto is_here = [&](const Key& row) {
    if (last != nullptr && *last == row.leaf) return true;
    last = &row.leaf;
    return range.contains(slot_of(row.leaf));
  };
  return std::ranges::all_of(transaction.asserts, is_here, &Assert::key) &&
         std::ranges::all_of(transaction.operations, [&is_here](const Operation& one) {
           return is_here(one.key) && (one.type != Operation::Type::move || is_here(one.to));
         });
}

Check::Purpose purpose_of(const Commit& commit) {
  return commit.id.session.is_none() ? Check::Purpose::sweep : Check::Purpose::commit;
}

}  // namespace

Answer of_type(Answer::Type type) {
  Answer answer;
  answer.type = type;
  return answer;
}

void Machine::create(kv::Batch& batch, ShardId shard, SlotRange range, const raft::SnapshotMeta& base) {
  batch.put(family_state, state_key(shard, StateType::range), encode(range));
  batch.put(family_state, state_key(shard, StateType::configuration), encode(base.conf));
  batch.put(family_state, state_key(shard, StateType::progress),
            Progress{.applied = base.index, .term = base.term, .last = {}, .epoch = {}}.encode());
}

void Machine::create_empty(kv::Batch& batch, ShardId shard) {
  batch.put(family_state, state_key(shard, StateType::progress), Progress{}.encode());
}

Result<std::vector<ShardId>> Machine::all(kv::KvStore& store) {
  return shards_with(store, StateType::progress);
}

Result<bool> Machine::is_there(kv::KvStore& store, ShardId shard) {
  const auto progress = store.get(family_state, as_view(state_key(shard, StateType::progress)));
  if (!progress) return fail(progress.error());
  return progress->has_value();
}

Result<std::unique_ptr<Machine>> Machine::open(kv::KvStore& store, ShardId shard) {
  std::unique_ptr<Machine> machine(new Machine(store, shard));
  const auto progress = store.get(family_state, as_view(state_key(shard, StateType::progress)));
  if (!progress) return fail(progress.error());
  if (!*progress) return fail(Errc::corrupted, fmt::format("shard {}: its state is missing", shard.value()));
  const auto decoded = Progress::decode(as_view(**progress));
  if (!decoded) return fail(decoded.error());
  machine->progress_ = *decoded;
  const auto range = store.get(family_state, as_view(state_key(shard, StateType::range)));
  if (!range) return fail(range.error());
  // Without a range it is a replica that waits for its first snapshot.
  if (!*range) return machine;
  const auto slots = decode_range(as_view(**range));
  if (!slots) return fail(slots.error());
  machine->range_ = *slots;
  const auto members = store.get(family_state, as_view(state_key(shard, StateType::configuration)));
  if (!members) return fail(members.error());
  if (!*members) return fail(Errc::corrupted, fmt::format("shard {}: no configuration", shard.value()));
  auto configuration = decode_configuration(as_view(**members));
  if (!configuration) return fail(std::move(configuration).error());
  machine->configuration_ = std::move(*configuration);
  const auto rebuilt = rebuilt_at(store, shard);
  if (!rebuilt) return fail(rebuilt.error());
  machine->rebuilt_ = *rebuilt;
  KISEKI_TRY(machine->load_raised());
  KISEKI_TRY(machine->locks_.load(store));
  KISEKI_TRY(machine->sessions_.load(store));
  return machine;
}

Result<> Machine::load_raised() {
  const auto range = range_of(state_key(shard_, StateType::ns));
  const auto rows = store_.iterate(family_state, range);
  for (rows->seek(as_view(range.from)); rows->valid(); rows->next()) {
    const auto configuration = NamespaceConfiguration::decode(rows->value());
    if (!configuration) return fail(configuration.error());
    note(Decoder(rows->key().subspan(range.from.size())).id<NamespaceId>(), *configuration);
  }
  return rows->status();
}

/// Readers of a namespace that is being deleted go on under what they know: the deletion may fail yet.
void Machine::note(NamespaceId ns, const NamespaceConfiguration& configuration) {
  if (configuration.state == NamespaceState::active) raised_[ns] = configuration.epoch;
  if (configuration.state == NamespaceState::deleted) raised_.erase(ns);
}

Result<raft::Index> Machine::applied_durable() {
  const auto bytes = store_.get_durable(family_state, as_view(state_key(shard_, StateType::progress)));
  if (!bytes) return fail(bytes.error());
  if (!*bytes) return raft::Index{0};
  const auto progress = Progress::decode(as_view(**bytes));
  if (!progress) return fail(progress.error());
  return progress->applied;
}

raft::SnapshotMeta Machine::position() const {
  return {
      .index = progress_.applied, .term = progress_.term, .conf = configuration_.value_or(raft::ConfState{})};
}

Result<> Machine::write(Draft& draft) const {
  draft.put(family_state, state_key(shard_, StateType::progress), progress_.encode());
  return draft.write();
}

Result<std::vector<Answer>> Machine::apply(std::span<const raft::Entry> entries, const raft::ConfState* conf,
                                           const Known& known) {
  Draft draft(store_, &cache_);
  std::vector<Answer> answers;
  answers.reserve(entries.size());
  for (const auto& entry : entries) {
    KISEKI_ASSERT(entry.index == progress_.applied + 1);
    auto answer = apply_entry(draft, entry, known ? known(entry) : Made{});
    if (!answer) return fail(std::move(answer).error().in(fmt::format("entry {}", entry.index)));
    answer->range = range_;
    answers.push_back(std::move(*answer));
  }
  if (conf != nullptr) {
    configuration_ = *conf;
    draft.put(family_state, state_key(shard_, StateType::configuration), encode(*conf));
  }
  KISEKI_TRY(write(draft));
  return answers;
}

Result<Answer> Machine::apply_entry(Draft& draft, const raft::Entry& entry, Made made) {
  const bool is_ours = entry.type == raft::EntryType::normal && !entry.data.empty();
  Result<Proposal> read;
  if (is_ours && made.proposal == nullptr) {
    read = Proposal::decode(entry.data);
    // What other versions carry out cannot be passed over.
    if (!read && read.error().code() == Errc::wrong_format) return fail(read.error());
    if (read) made = {.proposal = &*read, .stamp = read->stamp};
  }
  if (made.proposal != nullptr && reads_store(*made.proposal)) KISEKI_TRY(write(draft));
  progress_.applied = entry.index;
  progress_.term = entry.term;
  if (!is_ours) return Answer{};
  if (made.proposal == nullptr) return of_type(Answer::Type::invalid);
  const bool was_read = read && made.proposal == &*read;
  if (was_read && !read->validate() && !KISEKI_PLANTED("1.5 a shard believes what it is sent")) {
    return of_type(Answer::Type::invalid);
  }
  return std::visit([&](const auto& body) { return apply_body(draft, made.stamp, body); },
                    made.proposal->body);
}

Stamp Machine::next_stamp(Stamp at_least) {
  const Stamp next(progress_.last.value() + 1);
  at_least = std::min(at_least, stamp_end);
  progress_.last = KISEKI_PLANTED("1.7 stamps do not rise") ? at_least : std::max(at_least, next);
  return progress_.last;
}

std::optional<Answer> Machine::remembered(TransactionId id) const {
  if (const auto* kept = sessions_.find(id)) return decided(kept->outcome);
  if (KISEKI_PLANTED("4.4 a finished sequence is taken again")) return std::nullopt;
  if (sessions_.is_fenced(id.session) && !KISEKI_PLANTED("5.1 a fenced session still commits")) {
    return of_type(Answer::Type::fenced);
  }
  if (id.session.is_none()) return std::nullopt;
  if (id.sequence < sessions_.low_water(id.session)) return of_type(Answer::Type::stale);
  return std::nullopt;
}

std::optional<Answer> Machine::answered(TransactionId id, const Transaction& transaction) const {
  if (auto answer = remembered(id)) return answer;
  if (!holds(range_, transaction) && !KISEKI_PLANTED("1.1 a shard takes rows of another")) {
    return of_type(Answer::Type::wrong_shard);
  }
  return std::nullopt;
}

Result<Checked> Machine::check(Draft& draft, const Transaction& transaction, Check::Purpose purpose) const {
  return Check({.id = shard_, .locks = locks_, .epoch = progress_.epoch}, draft, transaction, purpose).run();
}

Result<Answer> Machine::apply_body(Draft& draft, Stamp proposed, const Commit& commit) {
  if (auto answer = answered(commit.id, commit.transaction)) return std::move(*answer);
  if (sessions_.is_full(commit.id, commit.low_water, Sessions::results_max)) {
    return of_type(Answer::Type::full);
  }
  auto checked = check(draft, commit.transaction, purpose_of(commit));
  if (!checked) return fail(std::move(checked).error());
  if (checked->blocker) return blocked(std::move(*checked->blocker));
  Outcome outcome = checked->outcome;
  if (outcome.committed()) {
    outcome.stamp = next_stamp(proposed);
    Effects effects(shard_, draft,
                    {.version = outcome.stamp,
                     .stamp = outcome.stamp,
                     .time_ms = commit.transaction.time_ms,
                     .epoch = progress_.epoch});
    for (const auto& operation : commit.transaction.operations) KISEKI_TRY(effects.apply(operation));
    KISEKI_TRY(effects.finish());
    fence_holders(draft, commit.transaction);
  }
  sessions_.keep(draft, commit.id, commit.low_water, {.outcome = outcome, .decided_at = std::nullopt});
  return decided(outcome);
}

void Machine::fence_holders(Draft& draft, const Transaction& transaction) {
  for (const auto& operation : transaction.operations) {
    if (operation.type != Operation::Type::fence) continue;
    const auto holder = lock_holder(operation.key);
    if (holder && !KISEKI_PLANTED("5.1 a broken lock does not fence its holder")) {
      sessions_.fence(draft, *holder);
    }
  }
}

Result<Answer> Machine::answer_prepared(Draft& draft, const Prepared& prepared,
                                        const Transaction& branch) const {
  Answer answer = of_type(Answer::Type::prepared);
  answer.outcome.stamp = prepared.stamp;
  answer.holder = prepared.holder;
  for (const auto& operation : branch.operations) {
    if (operation.type != Operation::Type::move_out) continue;
    auto record = draft.record(operation.key);
    if (!record) return fail(std::move(record).error());
    if (!*record) return of_type(Answer::Type::stale);
    answer.moved.push_back(std::move(**record));
  }
  return answer;
}

Result<std::optional<Answer>> Machine::prepared_before(Draft& draft, const Prepare& prepare) const {
  if (auto answer = answered(prepare.id, prepare.branch)) return answer;
  // Where its fate is decided, a row has to wait for it.
  if (range_.contains(slot_of(prepare.primary.leaf)) && !names(prepare.branch, prepare.primary)) {
    return of_type(Answer::Type::invalid);
  }
  const auto* prepared = locks_.find(prepare.id);
  if (prepared == nullptr) return std::nullopt;
  const bool is_the_same =
      prepared->holder.primary == prepare.primary && prepared->locks == locks_of(prepare.branch);
  if (!is_the_same && !KISEKI_PLANTED("4.1 another part passes for the prepared one")) {
    return of_type(Answer::Type::stale);
  }
  auto answer = answer_prepared(draft, *prepared, prepare.branch);
  if (!answer) return fail(std::move(answer).error());
  return std::move(*answer);
}

bool Machine::locks_are_full(const Transaction& branch) const {
  const auto locks = locks_of(branch);
  if (locks_.all().size() >= prepared_max || locks_.rows() + locks.size() > locks_max) return true;
  return std::ranges::any_of(
      locks, [this](const Prepared::Lock& lock) { return !lock.exclusive && locks_.is_full(lock.key); });
}

Result<Answer> Machine::apply_body(Draft& draft, Stamp proposed, const Prepare& prepare) {
  auto before = prepared_before(draft, prepare);
  if (!before) return fail(std::move(before).error());
  if (*before) return std::move(**before);
  if (locks_are_full(prepare.branch) ||
      sessions_.is_full(prepare.id, prepare.low_water, Sessions::results_max)) {
    return of_type(Answer::Type::full);
  }
  auto checked = check(draft, prepare.branch, Check::Purpose::prepare);
  if (!checked) return fail(std::move(checked).error());
  if (checked->blocker) return blocked(std::move(*checked->blocker));
  if (!checked->outcome.committed()) {
    sessions_.keep(draft, prepare.id, prepare.low_water,
                   {.outcome = checked->outcome, .decided_at = std::nullopt});
    return decided(checked->outcome);
  }
  const Stamp stamp = next_stamp(proposed);
  Holder holder{
      .id = prepare.id, .age = prepare.age.is_none() ? stamp : prepare.age, .primary = prepare.primary};
  KISEKI_TRY(locks_.take(draft, std::move(holder), stamp, prepare.branch));
  return answer_prepared(draft, *locks_.find(prepare.id), prepare.branch);
}

Result<> Machine::settle(Draft& draft, TransactionId id, Verdict verdict, Stamp version) {
  const auto* prepared = locks_.find(id);
  if (prepared == nullptr) return {};
  const std::uint64_t time_ms = prepared->time_ms;
  auto staged = locks_.release(draft, id);
  if (!staged) return fail(std::move(staged).error());
  if (verdict == Verdict::aborted && KISEKI_PLANTED("6.6 an abort leaves no dead row")) return {};
  if (verdict == Verdict::aborted) {
    // What was staged counted: rounds have passed over chunks that nothing refers to now.
    for (const auto& operation : *staged) {
      for (const auto& reference : operation.record.references) {
        const auto& leaf = operation.key.leaf;
        put_dead(draft, {name_of(leaf.ns, reference), slot_of(leaf), progress_.epoch});
      }
    }
    return {};
  }
  Effects effects(
      shard_, draft,
      {.version = version,
       .stamp = KISEKI_PLANTED("1.7 feed rows carry the stamp of another shard") ? version : progress_.last,
       .time_ms = time_ms,
       .epoch = progress_.epoch});
  for (const auto& operation : *staged) KISEKI_TRY(effects.apply(operation));
  return effects.finish();
}

Result<Answer> Machine::apply_body(Draft& draft, Stamp proposed, const Decide& decide) {
  if (const auto* kept = sessions_.find(decide.id)) return decided(kept->outcome);
  if (decide.id.sequence < sessions_.low_water(decide.id.session)) return of_type(Answer::Type::forgotten);
  if (!range_.contains(slot_of(decide.primary.leaf))) return of_type(Answer::Type::wrong_shard);
  const auto* prepared = locks_.find(decide.id);
  if (prepared != nullptr && prepared->holder.primary != decide.primary) {
    return of_type(Answer::Type::invalid);
  }
  auto verdict = decide.verdict;
  // A commit needs the prepare, and a session that may still write.
  const bool is_fenced = sessions_.is_fenced(decide.id.session) &&
                         !KISEKI_PLANTED("5.1 a fenced session's transaction is decided");
  if (prepared == nullptr) {
    // Nothing comes of it any more: there is nothing to remember.
    if (is_fenced) return decided(outcome_of(Verdict::aborted, {}));
    if (sessions_.is_full(decide.id, decide.low_water, Sessions::results_kept)) {
      return of_type(Answer::Type::full);
    }
    if (!KISEKI_PLANTED("4.1 a commit without its prepare")) verdict = Verdict::aborted;
  }
  if (is_fenced) verdict = Verdict::aborted;
  const bool commits = verdict == Verdict::committed;
  const Stamp stamp = next_stamp(commits ? std::max(proposed, Stamp(decide.floor.value() + 1)) : proposed);
  KISEKI_TRY(settle(draft, decide.id, verdict, stamp));
  if (prepared == nullptr && KISEKI_PLANTED("4.2 an abort without a prepare is not written")) return Answer{};
  const Outcome outcome = outcome_of(verdict, stamp);
  sessions_.keep(draft, decide.id, decide.low_water, {.outcome = outcome, .decided_at = decide.primary.leaf});
  draft.put(family_rows, decision_key(decide.primary.leaf, decide.id).encode(),
            encode_decision(verdict, stamp));
  return decided(outcome);
}

Result<Answer> Machine::apply_body(Draft& draft, Stamp proposed, const Resolve& resolve) {
  if (const auto* kept = sessions_.find(resolve.id)) return decided(kept->outcome);
  if (resolve.id.sequence < sessions_.low_water(resolve.id.session)) {
    return of_type(Answer::Type::forgotten);
  }
  const bool commits = resolve.verdict == Verdict::committed;
  if (const auto* prepared = locks_.find(resolve.id)) {
    // What is prepared where its fate is decided is not decided, and a commit comes after every prepare.
    const bool is_decided_here = range_.contains(slot_of(prepared->holder.primary.leaf));
    if (is_decided_here || (commits && resolve.stamp <= prepared->stamp)) {
      return of_type(Answer::Type::invalid);
    }
  } else if (sessions_.is_fenced(resolve.id.session)) {
    return decided(outcome_of(resolve.verdict, resolve.stamp));
  } else if (sessions_.is_full(resolve.id, 0, Sessions::results_kept)) {
    return of_type(Answer::Type::full);
  }
  next_stamp(commits ? std::max(proposed, resolve.stamp) : proposed);
  KISEKI_TRY(settle(draft, resolve.id, resolve.verdict, resolve.stamp));
  const Outcome outcome = outcome_of(resolve.verdict, resolve.stamp);
  sessions_.keep(draft, resolve.id, 0, {.outcome = outcome, .decided_at = std::nullopt});
  return decided(outcome);
}

Result<Answer> Machine::apply_body(Draft& draft, Stamp, const Fence& fence) {
  if (!sessions_.knows(fence.session) && sessions_.is_crowded()) return of_type(Answer::Type::full);
  sessions_.fence(draft, fence.session);
  return Answer{};
}

Result<Answer> Machine::apply_body(Draft& draft, Stamp, const Forget& forget) {
  GoneSessions gone = forget.gone;
  for (const auto& [id, prepared] : locks_.all()) gone.spare(id.session);
  if (!sessions_.are_fenced(gone) && !KISEKI_PLANTED("5.1 who is not fenced is forgotten")) {
    return of_type(Answer::Type::invalid);
  }
  if (KISEKI_PLANTED("5.1 the living are forgotten with the gone")) gone.living.clear();
  sessions_.forget(draft, gone);
  return Answer{};
}

Result<Answer> Machine::apply_body(Draft& draft, Stamp, const Configure& configure) {
  const std::string row = state_key(shard_, StateType::ns, configure.ns.value());
  const auto bytes = draft.get(family_state, row);
  if (!bytes) return fail(bytes.error());
  if (*bytes) {
    const auto known = NamespaceConfiguration::decode(as_view(**bytes));
    if (!known) return fail(known.error());
    const bool is_older = std::tie(configure.epoch, configure.state) < std::tie(known->epoch, known->state);
    if (is_older || known->state == NamespaceState::deleted) {
      const bool is_the_same = configure.epoch == known->epoch && configure.state == known->state;
      return of_type(is_the_same ? Answer::Type::decided : Answer::Type::stale);
    }
  }
  if (configure.state == NamespaceState::deleted) ++deletions_;
  const NamespaceConfiguration now{.epoch = configure.epoch, .state = configure.state};
  draft.put(family_state, row, now.encode());
  note(configure.ns, now);
  return Answer{};
}

Result<Answer> Machine::apply_body(Draft&, Stamp, const RaiseEpoch& raise) {
  progress_.epoch = std::max(progress_.epoch, raise.epoch);
  return Answer{};
}

/// No round before the shard's is judged any more, so none needs what went before it.
Result<Answer> Machine::apply_body(Draft& draft, Stamp, const Trim& trim) {
  const GcEpoch below = std::min(trim.below, progress_.epoch);
  ReferenceRows rows(store_, range_);
  for (const auto& chunk : trim.chunks) {
    const auto dead = rows.dead_of(chunk);
    if (!dead) return fail(dead.error());
    for (const auto& row : *dead) KISEKI_TRY(erase_dead(draft, row, below));
  }
  return Answer{};
}

Result<std::optional<Answer>> Machine::foresee(const Proposal& proposal, kv::Blocking blocking) {
  Draft draft = reader(blocking);
  auto answer = look_ahead(draft, proposal);
  if (answer && *answer) (*answer)->range = range_;
  return answer;
}

Result<std::optional<Answer>> Machine::look_ahead(Draft& draft, const Proposal& proposal) const {
  const Transaction* transaction = nullptr;
  auto purpose = Check::Purpose::commit;
  if (const auto* commit = std::get_if<Commit>(&proposal.body)) {
    if (auto answer = answered(commit->id, commit->transaction)) return answer;
    transaction = &commit->transaction;
    purpose = purpose_of(*commit);
  } else if (const auto* prepare = std::get_if<Prepare>(&proposal.body)) {
    auto before = prepared_before(draft, *prepare);
    if (!before || *before) return before;
    transaction = &prepare->branch;
    purpose = Check::Purpose::prepare;
  } else if (const auto* split = std::get_if<Split>(&proposal.body)) {
    const auto taken = is_there(store_, split->child);
    if (!taken) return fail(taken.error());
    return *taken ? std::optional(of_type(Answer::Type::invalid)) : std::nullopt;
  } else {
    return std::nullopt;
  }
  auto checked = check(draft, *transaction, purpose);
  if (!checked) return fail(std::move(checked).error());
  if (checked->blocker) return blocked(std::move(*checked->blocker));
  if (!checked->outcome.committed()) return decided(checked->outcome);
  return std::nullopt;
}

Result<TransactionStatus> Machine::status(const Holder& holder) const {
  const TransactionId id = holder.id;
  if (const auto* kept = sessions_.find(id)) {
    const bool is_committed = kept->outcome.committed();
    return TransactionStatus{
        .type = is_committed ? TransactionStatus::Type::committed : TransactionStatus::Type::aborted,
        .stamp = is_committed ? kept->outcome.stamp : Stamp{}};
  }
  if (!range_.contains(slot_of(holder.primary.leaf))) return fail(Errc::stale, "the primary lies elsewhere");
  if (locks_.find(id) != nullptr)
    return TransactionStatus{.type = TransactionStatus::Type::pending, .stamp = {}};
  // A session that is fenced here prepares nothing more, so this one was never decided and never will be.
  const bool never = sessions_.is_fenced(id.session) && id.sequence >= sessions_.low_water(id.session);
  return TransactionStatus{
      .type = never ? TransactionStatus::Type::aborted : TransactionStatus::Type::unknown, .stamp = {}};
}

}  // namespace kiseki::shard::detail
