#include "raft/replica/driver.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "base/logging.h"
#include "base/planted.h"
#include "raft/members.h"

namespace kiseki::raft {

namespace {

constexpr Duration space_retry = std::chrono::milliseconds(100);
/// Entries that stay in memory for followers a little behind, and what they may hold.
constexpr Index tail_max = 1024;
constexpr Bytes tail_bytes_max = 4_MiB;

/// `later` behind `earlier`: a suffix that it replaces goes.
void merge(Append& earlier, Append later) {
  if (later.hard_state) earlier.hard_state = later.hard_state;
  earlier.sync = earlier.sync || later.sync;
  if (later.entries.empty()) return;
  const Index first = later.entries.front().index;
  while (!earlier.entries.empty() && earlier.entries.back().index >= first) earlier.entries.pop_back();
  earlier.entries.insert(earlier.entries.end(), later.entries.begin(), later.entries.end());
}

/// In pieces that the log takes; each alone is a valid append.
std::vector<Append> split(Append append, Bytes size_max) {
  constexpr Bytes overhead = 256;  // of an entry and the hard state
  std::vector<Append> pieces{{append.group, append.hard_state, {}, append.sync}};
  Bytes size = overhead;
  for (Entry& entry : append.entries) {
    const Bytes more = entry.data.size() + overhead;
    if (size + more > size_max && !pieces.back().entries.empty()) {
      pieces.push_back({append.group, std::nullopt, {}, true});
      size = overhead;
    }
    size += more;
    pieces.back().entries.push_back(std::move(entry));
  }
  return pieces;
}

constexpr Bytes apply_at_once_max = 64_KiB;

Bytes sum_of_sizes(std::span<const Entry> entries) {
  Bytes sum = 0;
  for (const Entry& entry : entries) sum += entry.data.size();
  return sum;
}

bool writes_nothing(const Ready& ready) { return ready.entries.empty() && !ready.hard_state; }

}  // namespace

Task<> Replica::Driver::take_readies() {
  while (true) {
    co_await work_.wait();
    work_.reset();
    // What else this turn proposes comes along.
    co_await yield_turn();
    while (!failure_ && !installing_) {
      start_round();
      auto ready = group_->ready();
      if (!ready) break;
      const bool is_long = sum_of_sizes(ready->committed) > apply_at_once_max;
      take(std::move(*ready));
      // Between two long batches others on this loop have their turn, sockets too.
      if (is_long) co_await asio::post(environment_.executor, use_task);
    }
    if (scope_.stopping()) co_return;
  }
}

void Replica::Driver::take(Ready ready) {
  observe(ready);
  const bool at_once = !ready.send_after_persist || KISEKI_PLANTED("messages before persist") ||
                       (writes_nothing(ready) && KISEKI_PLANTED("messages of an empty ready at once"));
  if (at_once) send(ready.messages);
  for (const Fetch& one : ready.fetches) scope_.spawn(fetch(one));
  apply(ready.committed);
  if (failure_) return;
  confirm_reads(ready.reads);
  if (ready.want_snapshot) {
    group_->offer_snapshot({{applied_, term_at(applied_), conf()}, {}});
    work_.set();
  }
  installing_ = ready.install != nullptr;
  enqueue(std::move(ready));
}

void Replica::Driver::observe(const Ready& ready) {
  const Role role = ready.soft_state ? ready.soft_state->role : role_;
  const Term term = ready.hard_state ? ready.hard_state->term : term_;
  if (ready.soft_state) leader_ = ready.soft_state->leader;
  if (role == role_ && term == term_) return;
  role_ = role;
  term_ = term;
  last_ = group_->status().last;
  applied_own_term_ = false;
  followers_.clear();
  departed_.clear();
  rounds_.fail_all(Error(Errc::not_leader));
  environment_.machine.leadership(role_, term_);
}

/// A ready with nothing to write waits for those before it all the same.
void Replica::Driver::enqueue(Ready ready) {
  Append append{.group = options_.group,
                .hard_state = ready.hard_state,
                .entries = {ready.entries.begin(), ready.entries.end()},
                .sync = ready.must_sync};
  if (append.hard_state && KISEKI_PLANTED("vote not persisted")) append.hard_state->vote = 0;
  if (ready.install != nullptr) {
    KISEKI_ASSERT(staged_ && staged_->index == ready.install->meta.index);
    unpersisted_.push_back({.append = std::move(append), .number = 0, .install = staged_, .readies = {}});
  } else if (unpersisted_.empty()) {
    unpersisted_.push_back({.append = std::move(append), .number = 0, .install = {}, .readies = {}});
  } else {
    merge(unpersisted_.back().append, std::move(append));
  }
  unpersisted_.back().number = ready.number;
  unpersisted_.back().readies.push_back(std::move(ready));
  if (KISEKI_PLANTED("persisted reported early")) settle(unpersisted_.back());
  to_persist_.set();
}

Task<> Replica::Driver::persist() {
  while (true) {
    co_await to_persist_.wait();
    to_persist_.reset();
    while (!unpersisted_.empty() && !failure_) {
      Unpersisted batch = std::move(unpersisted_.front());
      unpersisted_.pop_front();
      if (batch.install && KISEKI_PLANTED("state replaced before the log's base")) {
        std::ignore = co_await environment_.snapshots->install(batch.install->index);
      }
      Result<> result = co_await write(batch);
      if (out_of_space_) co_return;
      if (result) settle(batch);
      if (result && batch.install) result = co_await install(*batch.install);
      if (!result) fail_for_good(std::move(result).error());
      work_.set();
    }
    if (scope_.stopping()) co_return;
  }
}

Task<Result<>> Replica::Driver::write(Unpersisted& batch) {
  if (batch.install) co_return co_await write_base(batch);
  for (Append& piece : split(std::move(batch.append), environment_.log.append_max())) {
    KISEKI_CO_TRY(co_await append_in_log(std::move(piece)));
  }
  co_return Result<>{};
}

/// Without room the same append is tried again: nothing of it was written, and nothing of it was
/// acknowledged.
Task<Result<>> Replica::Driver::append_in_log(Append append) {
  Result<> result;
  do {
    result = environment_.log.executor() == environment_.executor
                 ? co_await environment_.log.append(append)
                 : co_await on(environment_.log.executor(), environment_.log.append(append));
  } while (co_await waits_for_space(result));
  co_return result;
}

Task<Result<>> Replica::Driver::write_base(const Unpersisted& batch) {
  Result<> result;
  do {
    result = co_await on(environment_.log.executor(),
                         environment_.log.install(options_.group, *batch.install, batch.append.hard_state));
  } while (co_await waits_for_space(result));
  co_return result;
}

/// Whether to try again. `out_of_space_` stays set when the replica stops meanwhile.
Task<bool> Replica::Driver::waits_for_space(const Result<>& result) {
  out_of_space_ = !result && result.error().code() == Errc::no_space;
  if (!out_of_space_) co_return false;
  co_return co_await scope_.sleep(environment_.clock, space_retry);
}

void Replica::Driver::settle(const Unpersisted& batch) {
  group_->on_persisted(batch.number);
  for (const Ready& ready : batch.readies) {
    if (ready.send_after_persist) send(ready.messages);
  }
}

/// A change of members is applied alone: the state machine stores the configuration with exactly it, and no
/// other entry sees another one than on other replicas.
void Replica::Driver::apply(std::span<const Entry> committed) {
  while (!committed.empty() && !failure_) {
    const auto change = std::ranges::find(committed, EntryType::conf_change, &Entry::type);
    const auto before = static_cast<std::size_t>(change - committed.begin());
    apply_entries(committed.first(before), nullptr);
    if (change == committed.end() || failure_) break;
    const bool is_cut = !KISEKI_PLANTED("a batch goes on behind a change of members");
    const std::size_t count = is_cut ? 1 : committed.size() - before;
    apply_conf(committed.subspan(before, count));
    committed = committed.subspan(before + count);
  }
  trim();
  rounds_.on_applied(applied_);
  applied_some_.wake_all();
}

void Replica::Driver::apply_entries(std::span<const Entry> run, const ConfState* conf) {
  if (run.empty()) return;
  if (auto applied = environment_.machine.apply(run, conf); !applied) {
    fail_for_good(std::move(applied).error());
    return;
  }
  for (const Entry& entry : run) history_.add(entry);
  applied_ = run.back().index;
  applied_own_term_ = run.back().term == term_ && role_ == Role::leader;
  group_->advance_apply(applied_);
}

void Replica::Driver::apply_conf(std::span<const Entry> run) {
  const Entry& entry = run.front();
  auto changed = group_->apply_conf(entry);
  if (changed) {
    *changed = following(conf(), std::move(*changed));
    for (const ReplicaId replica : members_of(conf())) {
      if (!is_member(*changed, replica)) departed_[replica] = {.last = group_->status().last};
    }
    history_.configure(entry.index, *changed);
    conf_known_above_ = group_->status().last;
    // The next one is of the new majority.
    lease_.drop();
  }
  apply_entries(run, changed ? &*changed : nullptr);
  if (changed && !is_member(*changed, options_.replica)) {
    log::info("raft", "group {}: replica {} is no member any more", options_.group.value(), options_.replica);
  }
}

/// Entries leave the memory once applied, but for those that followers a little behind are about to need.
void Replica::Driver::trim() {
  const Index confirmed = followers_.slowest(conf(), heard_since(), applied_);
  const Index kept = std::max(applied_ - std::min(applied_, tail_max), history_.floor(tail_bytes_max));
  group_->trim_tail(std::max(confirmed, kept));
}

Task<> Replica::Driver::fetch(Fetch fetch) {
  auto entries = co_await on(environment_.log.executor(),
                             environment_.log.read(options_.group, fetch.from, fetch.to, fetch.limit));
  if (failure_) co_return;
  group_->fetched(fetch.id, entries ? std::span<const Entry>(*entries) : std::span<const Entry>());
  work_.set();
}

Task<> Replica::Driver::tick() {
  while (co_await scope_.sleep(environment_.clock, options_.tick)) {
    if (failure_ || installing_ || removed_) continue;
    quiesce();
    if (quiet_ && !KISEKI_PLANTED("a quiet group goes on ticking")) continue;
    group_->tick();
    renew_lease();
    leave_joint();
    tell_departed();
    ask_for_end();
    work_.set();
  }
}

Task<Result<>> Replica::Driver::compact() {
  if (failure_) co_return fail(Errc::unavailable, "the replica has failed");
  const auto durable = environment_.machine.applied_durable();
  if (!durable) co_return fail(durable.error());
  const Index held = KISEKI_PLANTED("log purged beyond what is durable") ? applied_ : *durable;
  Index through = std::min(held, applied_);
  const Index needed = followers_.slowest(conf(), heard_since(), through);
  const Index kept = std::max(through - std::min(through, options_.retained_max),
                              std::min(through, history_.floor(options_.retained_bytes_max)));
  through = std::max(needed, kept);
  if (installing_ || through <= history_.base()) co_return Result<>{};
  const SnapshotMeta base{through, history_.term_at(through), history_.conf_at(through)};
  KISEKI_CO_TRY(co_await on(environment_.log.executor(), environment_.log.compact(options_.group, base)));
  if (failure_ || through <= history_.base()) co_return Result<>{};
  group_->compact(through);
  history_.forget_through(base);
  co_return Result<>{};
}

void Replica::Driver::fail_for_good(Error error) {
  if (failure_) return;
  failure_ = std::move(error).in(fmt::format("group {}", options_.group.value()));
  if (!scope_.stopping()) log::error("raft", "the replica has failed for good: {}", failure_->to_string());
  role_ = Role::follower;
  environment_.machine.failed();
  rounds_.fail_all(Error(Errc::unavailable, "the replica has failed"));
  applied_some_.wake_all();
}

Task<> Replica::Driver::stop() {
  scope_.request_stop();
  work_.set();
  to_persist_.set();
  rounds_.fail_all(Error(Errc::unavailable, "the replica is stopping"));
  applied_some_.wake_all();
  co_await scope_.stop();
}

}  // namespace kiseki::raft
