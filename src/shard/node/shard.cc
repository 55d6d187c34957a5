#include "shard/node/shard.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "base/metrics.h"
#include "base/planted.h"
#include "kv/off_loop.h"
#include "shard/machine/reader.h"

namespace kiseki::shard::detail {

namespace {

metrics::Counter entries("kiseki_shard_entries_total", "Entries applied by the shards of this node.");
metrics::Counter foreseen("kiseki_shard_foreseen_total", "Proposals answered without an entry.");
metrics::Histogram commits("kiseki_shard_commit_seconds", "From proposal to answer.");

constexpr std::uint32_t locks_told = 256;
/// Of what one call reads; what is driven out of memory as often is read where it stands.
constexpr int fetches_max = 2;

template <class... Calls>
struct Overloaded : Calls... {
  using Calls::operator()...;
};

/// What may grow the store. Ends of transactions and deletes make room or bind little.
bool adds_rows(const Proposal& proposal) {
  const auto* commit = std::get_if<Commit>(&proposal.body);
  const auto* prepare = std::get_if<Prepare>(&proposal.body);
  if (commit == nullptr && prepare == nullptr) return false;
  const auto& operations = commit != nullptr ? commit->transaction.operations : prepare->branch.operations;
  const bool puts =
      std::ranges::any_of(operations, [](const Operation& one) { return one.type == Operation::Type::put; });
  const bool erases = std::ranges::any_of(
      operations, [](const Operation& one) { return one.type == Operation::Type::erase; });
  return puts && !erases;
}

Result<Reply> told(ShardId shard, Answer answer) {
  if (answer.type != Answer::Type::invalid) return answer;
  return fail(Errc::invalid_argument, fmt::format("shard {}: not a proposal for it", shard.value()));
}

/// The stamp of another shard that the proposal makes this one pass; none: it names none.
Stamp shown_by(const Proposal& proposal) {
  if (const auto* prepare = std::get_if<Prepare>(&proposal.body)) return prepare->age;
  if (const auto* decide = std::get_if<Decide>(&proposal.body)) {
    if (decide->verdict == Verdict::committed) return decide->floor;
  }
  if (const auto* resolve = std::get_if<Resolve>(&proposal.body)) {
    if (resolve->verdict == Verdict::committed) return resolve->stamp;
  }
  return {};
}

/// Passes over rows of many places.
bool walks(const Request& request) {
  return std::holds_alternative<SweepRequest>(request) || std::holds_alternative<ScanRequest>(request) ||
         std::holds_alternative<JudgeRequest>(request) || std::holds_alternative<DeadRequest>(request);
}

std::unexpected<Error> cancelled(ShardId shard) {
  return fail(Errc::cancelled, fmt::format("shard {}: stopped", shard.value()));
}

}  // namespace

class Shard::Call {
 public:
  explicit Call(Shard& shard) : shard_(shard) { ++shard_.calls_; }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() {
    if (--shard_.calls_ == 0) shard_.idle_.set();
  }

 private:
  Shard& shard_;
};

Shard::Shard(std::unique_ptr<Machine> machine, kv::KvStore& store, BlockingPool& pool, Clock& clock,
             StampClock& stamps)
    : machine_(std::move(machine)), store_(store), pool_(pool), clock_(clock), stamps_(stamps) {
  stamps_.pass(machine_->last());
}

void Shard::stop() {
  stopped_ = true;
  for (const auto& [index, waiter] : waiters_) waiter->done.set();
  releases_.wake_all();
}

void Shard::removed() {
  removed_ = true;
  lose_waiters();
  releases_.wake_all();
  if (on_change_) on_change_();
}

std::unexpected<Error> Shard::refusal() const {
  if (stopped_) return cancelled(machine_->id());
  return fail(Errc::not_leader, fmt::format("shard {}: no replica here any more", machine_->id().value()));
}

void Shard::lose_waiters() {
  for (const auto& [index, waiter] : std::exchange(waiters_, {})) {
    waiter->lost = true;
    waiter->done.set();
  }
}

Task<> Shard::quiet() {
  while (calls_ > 0) {
    idle_.reset();
    co_await idle_.wait();
  }
}

Result<> Shard::apply(std::span<const raft::Entry> committed, const raft::ConfState* conf) {
  const std::size_t prepared = machine_->locks().all().size();
  auto answers =
      machine_->apply(committed, conf, [this](const raft::Entry& entry) { return made_here(entry); });
  if (!answers) return fail(std::move(answers).error().in(fmt::format("shard {}", machine_->id().value())));
  entries.add(committed.size());
  stamps_.pass(machine_->last());
  for (std::size_t i = 0; i < committed.size(); ++i) {
    const auto found = waiters_.find(committed[i].index);
    if (found == waiters_.end()) continue;
    Waiter& waiter = *found->second;
    if (waiter.term == committed[i].term) {
      waiter.answer = std::move((*answers)[i]);
    } else {
      waiter.replaced = true;
    }
    waiter.done.set();
    waiters_.erase(found);
  }
  if (prepared > 0) releases_.wake_all();
  if (!machine_->take_children().empty() && on_change_) on_change_();
  return {};
}

Machine::Made Shard::made_here(const raft::Entry& entry) const {
  const auto found = waiters_.find(entry.index);
  return found != waiters_.end() && found->second->term == entry.term ? found->second->made : Machine::Made{};
}

/// Proposals under way may still commit; nobody here would learn it in time.
void Shard::leadership(raft::Role role, raft::Term term) {
  leadership_ = {.leads = role == raft::Role::leader, .term = term};
  if (role == raft::Role::leader) return;
  heartbeats_.clear();
  lose_waiters();
}

Result<> Shard::restore(std::unique_ptr<Machine> machine) {
  machine_ = std::move(machine);
  stamps_.pass(machine_->last());
  ++restored_;
  if (deleted_rows_) deleted_rows_.emplace();
  releases_.wake_all();
  if (on_change_) on_change_();
  return {};
}

Task<Result<Reply>> Shard::await(raft::Replica::Position position, Machine::Made made, Duration limit) {
  const BootTime began = clock_.now();
  Waiter waiter{.term = position.term, .made = made, .answer = {}, .replaced = false, .done = {}};
  waiters_.emplace(position.index, &waiter);
  const bool in_time = co_await waiter.done.wait_for(clock_, std::min(limit, answer_limit));
  if (const auto left = waiters_.find(position.index); left != waiters_.end() && left->second == &waiter) {
    waiters_.erase(left);
  }
  if (waiter.answer) {
    commits.observe(clock_.now() - began);
    co_return told(machine_->id(), std::move(*waiter.answer));
  }
  if (stopped_) co_return cancelled(machine_->id());
  if (waiter.replaced) co_return fail(Errc::not_leader, "the entry was replaced");
  if (waiter.lost) co_return fail(Errc::unavailable, "leadership was lost; the outcome is unknown");
  KISEKI_ASSERT(!in_time);
  co_return fail(Errc::timed_out, fmt::format("shard {}: no answer in time", machine_->id().value()));
}

Task<Result<Reply>> Shard::call(Request request, Duration limit) {
  if (auto* propose = std::get_if<ProposeRequest>(&request)) return this->propose(std::move(*propose), limit);
  if (auto* released = std::get_if<ReleasedRequest>(&request)) {
    released->limit = std::min(released->limit, limit);
    return this->released(*released);
  }
  return newest(std::move(request));
}

Task<Result<Reply>> Shard::propose(ProposeRequest request, Duration limit) {
  const Proposal& proposal = *request.proposal;
  if (stopped_ || removed_) co_return refusal();
  KISEKI_ASSERT(journal_ != nullptr);
  const Call call(*this);
  const bool is_unchecked = KISEKI_PLANTED("1.5 a leader proposes what is not valid");
  if (!is_unchecked) KISEKI_CO_TRY(proposal.validate());
  if (request.attempt == Attempt::first && journal_->reads_locally()) {
    auto known = machine_->foresee(proposal, kv::Blocking::refused);
    if (!known && known.error().code() == Errc::would_block) known = co_await foresee(request.proposal);
    if (stopped_ || removed_) co_return refusal();
    if (!known) co_return fail(std::move(known).error());
    if (*known && journal_->reads_locally()) {
      foreseen.add();
      co_return told(machine_->id(), std::move(**known));
    }
  }
  if (!has_room_ && adds_rows(proposal)) {
    co_return fail(Errc::no_space, "the disk of the metadata store is full");
  }
  const BootTime now = clock_.now();
  if (KISEKI_PLANTED("1.7 stamps follow the wall clock at once")) stamps_.set(clock_.wall(), now);
  const Stamp stamp = stamps_.at(now);
  if (stamps_.is_beyond(shown_by(proposal), now) && !KISEKI_PLANTED("1.7 a shard follows every stamp")) {
    co_return fail(Errc::unavailable, fmt::format("shard {}: a stamp of the future", machine_->id().value()));
  }
  const auto position = journal_->propose(proposal.encode(stamp));
  if (!position) co_return fail(position.error());
  co_return co_await await(
      *position, {.proposal = is_unchecked ? nullptr : request.proposal.get(), .stamp = stamp}, limit);
}

Task<Result<std::optional<Answer>>> Shard::foresee(std::shared_ptr<const Proposal> proposal) {
  for (int i = 0; i < fetches_max; ++i) {
    co_await pool_.run([this, &proposal] { return fetch_rows(store_, *proposal); });
    auto known = machine_->foresee(*proposal, kv::Blocking::refused);
    if (known || known.error().code() != Errc::would_block) co_return known;
  }
  co_return machine_->foresee(*proposal);
}

/// What is seen of a state that is the newest: under a lease that still holds afterwards, or behind a
/// barrier.
Task<Result<Reply>> Shard::newest(Request request) {
  const Call call(*this);
  if (stopped_ || removed_) co_return refusal();
  if (std::holds_alternative<LeaderRequest>(request)) co_return leadership_;
  KISEKI_ASSERT(journal_ != nullptr);
  const auto* rows = std::get_if<RowsRequest>(&request);
  if (journal_->reads_locally()) {
    auto seen = walks(request) ? co_await walk(request) : look(request);
    if (rows != nullptr && !seen && seen.error().code() == Errc::would_block) {
      seen = co_await look_at_rows(*rows);
    }
    if (journal_->reads_locally()) co_return seen;
  }
  KISEKI_CO_TRY(co_await journal_->read_barrier());
  if (rows != nullptr) co_return co_await look_at_rows(*rows);
  if (walks(request)) co_return co_await walk(request);
  co_return look(request);
}

Task<Result<Reply>> Shard::walk(const Request& request) {
  if (std::holds_alternative<SweepRequest>(request)) co_return co_await for_sweep();
  const auto at = store_.snapshot();
  Reader reader(store_, *machine_, kv::Blocking::refused, at.get());
  co_return co_await kv::off_loop(pool_, [&](kv::Blocking blocking) -> Result<Reply> {
    if (const auto* scan = std::get_if<ScanRequest>(&request)) return reader.scan(*scan, blocking);
    if (const auto* judge = std::get_if<JudgeRequest>(&request)) return reader.judge(judge->chunks, blocking);
    return reader.dead(std::get<DeadRequest>(request), blocking);
  });
}

Task<Result<Reply>> Shard::look_at_rows(const RowsRequest& request) {
  for (int i = 0; i < fetches_max; ++i) {
    auto seen = Reader(store_, *machine_, kv::Blocking::refused).read(request);
    if (seen || seen.error().code() != Errc::would_block) co_return seen;
    co_await pool_.run([this, &request] { return fetch_rows(store_, request); });
    if (stopped_ || removed_) co_return refusal();
  }
  co_return Reader(store_, *machine_).read(request);
}

Result<Reply> Shard::look(const Request& request) {
  const bool is_rows = std::holds_alternative<RowsRequest>(request);
  Reader reader(store_, *machine_, is_rows ? kv::Blocking::refused : kv::Blocking::allowed);
  return std::visit(
      Overloaded{
          [&](const RowsRequest& rows) -> Result<Reply> { return reader.read(rows); },
          [&](const StatusRequest& one) -> Result<Reply> { return machine_->status(one.holder); },
          [&](const PendingRequest& one) -> Result<Reply> { return reader.pending(one.gone, one.rows_max); },
          [&](const BeatRequest& one) -> Result<Reply> { return beat(one.living); },
          [&](const SilentRequest& one) -> Result<Reply> {
            return heartbeats_.silent(one.open, clock_.now());
          },
          [](const auto&) -> Result<Reply> {
            KISEKI_ASSERT(false);
            return {};
          },
      },
      request);
}

Task<Result<Reply>> Shard::released(ReleasedRequest request) {
  const Call call(*this);
  const BootTime deadline = clock_.now() + request.limit;
  while (machine_->locks().find(request.id) != nullptr) {
    if (stopped_ || removed_) co_return refusal();
    const Duration left = deadline - clock_.now();
    if (left <= Duration::zero()) co_return false;
    co_await releases_.wait_for(clock_, left);
  }
  co_return true;
}

/// One at a time; others are told of none.
Task<Result<DeletedRows>> Shard::look_for_deleted() {
  if (!deleted_rows_ || !deleted_rows_->has_work(machine_->deletions())) co_return DeletedRows{};
  auto scan = *std::exchange(deleted_rows_, std::nullopt);
  const std::uint64_t restored = restored_;
  const DeletedRowsScan::Shard shard{machine_->id(), machine_->range(), machine_->deletions()};
  auto deleted = co_await pool_.run([&] { return scan.look(store_, shard); });
  deleted_rows_ = restored == restored_ ? std::move(scan) : DeletedRowsScan();
  co_return deleted;
}

Task<Result<Reply>> Shard::for_sweep() {
  auto deleted = co_await look_for_deleted();
  if (!deleted) co_return fail(std::move(deleted).error());
  SweepReply reply{.prepared = {},
                   .fenced = machine_->sessions().fenced(),
                   .deleted = std::move(*deleted),
                   .locks = {},
                   .range = machine_->range()};
  for (const auto& [id, prepared] : machine_->locks().all()) {
    reply.prepared.push_back({.holder = prepared.holder, .namespaces = prepared.namespaces});
  }
  auto locks = Reader(store_, *machine_).locks(locks_told);
  if (!locks) co_return fail(std::move(locks).error());
  reply.locks = std::move(*locks);
  co_return reply;
}

std::vector<SessionId> Shard::beat(const std::vector<SessionId>& sessions) {
  heartbeats_.beat(sessions, clock_.now());
  std::vector<SessionId> fenced;
  std::ranges::copy_if(sessions, std::back_inserter(fenced),
                       [this](SessionId session) { return machine_->sessions().is_fenced(session); });
  return fenced;
}

}  // namespace kiseki::shard::detail
