#include "raft/replica.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "base/logging.h"
#include "raft/detail/driver.h"

namespace kiseki::raft {

namespace {

constexpr Duration space_retry = std::chrono::milliseconds(100);

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

Error as_error(Status status) {
  switch (status) {
    case Status::not_leader:
      return Error(Errc::not_leader);
    case Status::busy:
      return Error(Errc::busy, "too much is uncommitted");
    case Status::transferring:
    case Status::not_ready:
      return Error(Errc::unavailable, "leadership is changing");
    case Status::not_promotable:
      return Error(Errc::unavailable, "no voter of its group");
    case Status::ok:
    case Status::refused:
      break;
  }
  return Error(Errc::invalid_argument, "refused by the consensus engine");
}

}  // namespace

Replica::Driver::Driver(Options options, Services services, ConfState conf)
    : options_(options), services_(services), scope_(services.executor), conf_(std::move(conf)) {}

Task<Result<>> Replica::Driver::start(Recovered recovered) {
  applied_ = services_.machine.applied();
  last_ = recovered.tail.empty() ? recovered.base.index : recovered.tail.back().index;
  if (applied_ > last_ || applied_ < recovered.base.index) {
    co_return fail(Errc::corrupted,
                   fmt::format("group {}: the state holds entry {}, the log entries {} to {}",
                               options_.group.value(), applied_, recovered.base.index, last_));
  }
  terms_.emplace(recovered.base.index, recovered.base.term);
  for (const Entry& entry : recovered.tail) {
    if (terms_.rbegin()->second != entry.term) terms_.emplace(entry.index, entry.term);
  }
  group_ = Group::open({.group = options_.group, .node = options_.node, .seed = options_.seed},
                       {.base_index = recovered.base.index,
                        .base_term = recovered.base.term,
                        .hard_state = recovered.hard_state,
                        .applied = applied_,
                        .conf = conf_,
                        .tail = recovered.tail});
  if (const Status status = group_->campaign(); status != Status::ok) co_return fail(as_error(status));
  observe_role();
  scope_.spawn(take_readies());
  scope_.spawn(persist());
  scope_.spawn(tick());
  work_.set();
  while (!applied_own_term_ && !failure_) co_await applied_some_.wait();
  if (failure_) co_return fail(*failure_);
  co_return Result<>{};
}

Result<Replica::Position> Replica::Driver::propose(std::string payload) {
  KISEKI_ASSERT(!payload.empty());
  if (failure_) return fail(Errc::unavailable, "the replica has failed");
  if (role_ != Role::leader) return fail(Errc::not_leader);
  if (out_of_space_ || services_.log.is_full()) return fail(Errc::no_space, "the log's disk is full");
  if (last_ - applied_ >= options_.proposals_max) return fail(Errc::busy, "too many proposals are under way");
  const View view = as_view(payload);
  const auto index = group_->propose({&view, 1}, nullptr);
  if (!index) return fail(as_error(index.error()));
  last_ = *index;
  work_.set();
  return Position{*index, term_};
}

Task<Result<>> Replica::Driver::read_barrier() {
  const Index committed = group_->status().commit;
  while (!failure_ && !scope_.stopping() && role_ == Role::leader &&
         (applied_ < committed || !applied_own_term_)) {
    co_await applied_some_.wait();
  }
  if (failure_ || scope_.stopping())
    co_return fail(Errc::unavailable, "the replica has failed or is stopping");
  if (role_ != Role::leader) co_return fail(Errc::not_leader);
  co_return Result<>{};
}

Task<> Replica::Driver::take_readies() {
  while (true) {
    co_await work_.wait();
    work_.reset();
    // What else this turn proposes comes along.
    co_await asio::post(services_.executor, use_task);
    while (!failure_) {
      auto ready = group_->ready();
      if (!ready) break;
      take(std::move(*ready));
    }
    if (scope_.stopping()) co_return;
  }
}

void Replica::Driver::take(Ready ready) {
  KISEKI_ASSERT(ready.messages.empty() && ready.install == nullptr);
  observe_role();
  for (const Fetch& one : ready.fetches) scope_.spawn(fetch(one));
  apply(ready.committed);
  enqueue(std::move(ready));
}

void Replica::Driver::observe_role() {
  const GroupStatus status = group_->status();
  if (status.role == role_ && status.term == term_) return;
  role_ = status.role;
  term_ = status.term;
  last_ = status.last;
  applied_own_term_ = false;
  services_.machine.leadership(role_, term_);
}

void Replica::Driver::apply(std::span<const Entry> committed) {
  if (committed.empty() || failure_) return;
  if (auto applied = services_.machine.apply(committed, nullptr); !applied) {
    fail_for_good(std::move(applied).error());
    return;
  }
  for (const Entry& entry : committed) {
    if (terms_.rbegin()->second != entry.term) terms_.emplace(entry.index, entry.term);
    KISEKI_ASSERT(entry.type == EntryType::normal);
  }
  applied_ = committed.back().index;
  applied_own_term_ = committed.back().term == term_ && role_ == Role::leader;
  group_->advance_apply(applied_);
  group_->trim_tail(applied_);
  applied_some_.wake_all();
}

/// A ready with nothing to write waits for those before it all the same.
void Replica::Driver::enqueue(Ready ready) {
  Append append{.group = options_.group,
                .hard_state = ready.hard_state,
                .entries = {ready.entries.begin(), ready.entries.end()},
                .sync = ready.must_sync};
  if (!unpersisted_) {
    unpersisted_.emplace(std::move(append));
  } else {
    merge(unpersisted_->append, std::move(append));
  }
  unpersisted_->number = ready.number;
  unpersisted_->readies.push_back(std::move(ready));
  to_persist_.set();
}

Task<> Replica::Driver::persist() {
  while (true) {
    co_await to_persist_.wait();
    to_persist_.reset();
    while (unpersisted_ && !failure_) {
      Unpersisted batch = *std::exchange(unpersisted_, std::nullopt);
      Result<> result;
      for (Append& piece : split(std::move(batch.append), services_.log.append_max())) {
        if (result) result = co_await append_in_log(std::move(piece));
      }
      if (out_of_space_) co_return;
      if (!result) {
        fail_for_good(std::move(result).error());
        break;
      }
      group_->on_persisted(batch.number);
      work_.set();
    }
    if (scope_.stopping()) co_return;
  }
}

/// Without room the same append is tried again: nothing of it was written, and nothing of it was
/// acknowledged.
Task<Result<>> Replica::Driver::append_in_log(Append append) {
  while (true) {
    Result<> result = services_.log.executor() == services_.executor
                          ? co_await services_.log.append(append)
                          : co_await on(services_.log.executor(), services_.log.append(append));
    out_of_space_ = !result && result.error().code() == Errc::no_space;
    if (!out_of_space_) co_return result;
    if (!co_await scope_.sleep(services_.clock, space_retry)) co_return result;
  }
}

Task<> Replica::Driver::fetch(Fetch fetch) {
  auto entries = co_await on(services_.log.executor(),
                             services_.log.read(options_.group, fetch.from, fetch.to, fetch.limit));
  if (failure_) co_return;
  group_->fetched(fetch.id, entries ? std::span<const Entry>(*entries) : std::span<const Entry>());
  work_.set();
}

Task<> Replica::Driver::tick() {
  while (co_await scope_.sleep(services_.clock, options_.tick)) {
    if (failure_ || group_->can_quiesce()) continue;
    group_->tick();
    work_.set();
  }
}

Task<Result<>> Replica::Driver::compact() {
  if (failure_) co_return fail(Errc::unavailable, "the replica has failed");
  const auto durable = services_.machine.applied_durable();
  if (!durable) co_return fail(durable.error());
  const Index through = std::min(*durable, applied_);
  if (through <= terms_.begin()->first) co_return Result<>{};
  const Term term = term_at(through);
  KISEKI_CO_TRY(
      co_await on(services_.log.executor(), services_.log.compact(options_.group, {through, term, conf_})));
  group_->compact(through);
  terms_.erase(terms_.begin(), terms_.upper_bound(through));
  terms_.emplace(through, term);
  co_return Result<>{};
}

Term Replica::Driver::term_at(Index index) const {
  const auto after = terms_.upper_bound(index);
  KISEKI_ASSERT(after != terms_.begin());
  return std::prev(after)->second;
}

void Replica::Driver::fail_for_good(Error error) {
  if (failure_) return;
  failure_ = std::move(error).in(fmt::format("group {}", options_.group.value()));
  log::error("raft", "the replica has failed for good: {}", failure_->to_string());
  role_ = Role::follower;
  services_.machine.failed();
  applied_some_.wake_all();
}

Task<> Replica::Driver::stop() {
  scope_.request_stop();
  work_.set();
  to_persist_.set();
  applied_some_.wake_all();
  co_await scope_.stop();
}

Replica::Replica(std::unique_ptr<Driver> driver) : driver_(std::move(driver)) {}
Replica::~Replica() = default;

Task<Result<std::unique_ptr<Replica>>> Replica::open(Options options, Recovered recovered,
                                                     Services services) {
  if (recovered.base.conf.voters != std::vector{options.node} ||
      !recovered.base.conf.voters_outgoing.empty()) {
    co_return fail(Errc::not_supported,
                   fmt::format("group {} is not of this one voter", options.group.value()));
  }
  auto driver = std::make_unique<Driver>(options, services, recovered.base.conf);
  if (auto started = co_await driver->start(std::move(recovered)); !started) {
    co_await driver->stop();
    co_return fail(std::move(started).error());
  }
  co_return std::unique_ptr<Replica>(new Replica(std::move(driver)));
}

Result<Replica::Position> Replica::propose(std::string payload) {
  return driver_->propose(std::move(payload));
}
Result<Replica::Position> Replica::propose_conf(std::span<const ConfChange> changes) {
  return driver_->propose_conf(changes);
}
Result<> Replica::transfer_leader(NodeId to) { return driver_->transfer_leader(to); }
GroupStatus Replica::status() const { return driver_->status(); }
void Replica::step(std::span<const Message>, FramePtr) {}
Task<Result<>> Replica::receive_snapshot(Message message, SnapshotSource& source) {
  return driver_->receive_snapshot(std::move(message), source);
}
void Replica::unreachable(NodeId) {}
void Replica::wake() {}
bool Replica::is_removed() const { return false; }
Task<Result<>> Replica::read_barrier() { return driver_->read_barrier(); }
bool Replica::reads_locally() const { return driver_->reads_locally(); }
Role Replica::role() const { return driver_->role(); }
Term Replica::term() const { return driver_->term(); }
Task<Result<>> Replica::compact() { return driver_->compact(); }
const std::optional<Error>& Replica::failure() const { return driver_->failure(); }
Task<> Replica::stop() { return driver_->stop(); }

}  // namespace kiseki::raft
