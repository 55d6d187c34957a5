#include <fmt/format.h>

#include "base/assert.h"
#include "base/planted.h"
#include "raft/members.h"
#include "raft/replica/driver.h"

namespace kiseki::raft {

Replica::Driver::Driver(Options options, Environment environment)
    : options_(options), environment_(environment), scope_(environment.executor), lease_(options) {}

Task<Result<>> Replica::Driver::start(Recovered recovered) {
  KISEKI_CO_TRY(co_await finish_install(recovered.base));
  applied_ = environment_.machine.applied();
  last_ = recovered.tail.empty() ? recovered.base.index : recovered.tail.back().index;
  if (applied_ > last_ || applied_ < recovered.base.index) {
    co_return fail(Errc::corrupted,
                   fmt::format("group {}: the state holds entry {}, the log entries {} to {}",
                               options_.group.value(), applied_, recovered.base.index, last_));
  }
  history_.begin(recovered.base);
  for (const Entry& entry : recovered.tail) {
    if (entry.index > applied_) break;
    history_.add(entry);
  }
  const auto stored = environment_.machine.configuration();
  if (stored && !KISEKI_PLANTED("configuration of the base at restart"))
    history_.configure(applied_, *stored);
  if (!is_alone() && environment_.transport == nullptr) {
    co_return fail(Errc::not_supported,
                   fmt::format("group {} is not of this one voter", options_.group.value()));
  }
  term_ = recovered.hard_state.term;
  if (KISEKI_PLANTED("whole log taken as committed at restart")) recovered.hard_state.commit = last_;
  const bool again = applied_ > recovered.base.index && KISEKI_PLANTED("entry applied twice after a restart");
  group_ = Group::open({.group = options_.group,
                        .replica = options_.replica,
                        .seed = options_.seed,
                        .heartbeat_ticks = options_.heartbeat_ticks,
                        .election_ticks = options_.election_ticks,
                        .election_ticks_max = options_.election_ticks_max,
                        .message_size_max = std::min(Config{}.message_size_max, options_.uncommitted_max),
                        .uncommitted_size_max = options_.uncommitted_max},
                       {.base_index = recovered.base.index,
                        .base_term = recovered.base.term,
                        .hard_state = recovered.hard_state,
                        .applied = again ? applied_ - 1 : applied_,
                        .conf = conf(),
                        .tail = recovered.tail});
  // A heartbeat answered before the crash is a promise to vote for nobody for so long.
  votes_from_ = environment_.clock.now() + options_.tick * options_.election_ticks;
  scope_.spawn(take_readies());
  scope_.spawn(persist());
  scope_.spawn(tick());
  work_.set();
  if (is_alone()) co_return co_await start_alone();
  co_return Result<>{};
}

/// The engine does not let a replica campaign before it has applied the changes of members that it knows to
/// be committed; after them it may not be alone any more.
Task<Result<>> Replica::Driver::start_alone() {
  const Index committed = group_->status().commit;
  while (applied_ < committed && !failure_) co_await applied_some_.wait();
  if (failure_) co_return fail(*failure_);
  if (!is_alone()) co_return Result<>{};
  if (const Status status = group_->campaign(); status != Status::ok) {
    co_return fail(detail::to_error(status));
  }
  work_.set();
  while (is_alone() && !applied_own_term_ && !failure_) co_await applied_some_.wait();
  if (failure_) co_return fail(*failure_);
  co_return Result<>{};
}

/// The log's base moves before the state does: after a crash between the two the staged snapshot is the one
/// of the base.
Task<Result<>> Replica::Driver::finish_install(const SnapshotMeta& base) {
  if (environment_.machine.applied() >= base.index || environment_.snapshots == nullptr) co_return Result<>{};
  auto installed = co_await environment_.snapshots->install(base.index);
  if (!installed) {
    co_return fail(Errc::corrupted,
                   fmt::format("group {}: the state holds entry {}, the log entries above {}: {}",
                               options_.group.value(), environment_.machine.applied(), base.index,
                               installed.error().to_string()));
  }
  co_return Result<>{};
}

Task<Result<>> Replica::Driver::install(const SnapshotMeta& meta) {
  KISEKI_CO_TRY(co_await environment_.snapshots->install(meta.index));
  history_.begin(meta);
  applied_ = meta.index;
  applied_own_term_ = false;
  KISEKI_ASSERT(environment_.machine.applied() == applied_);
  group_->advance_apply(applied_);
  installing_ = false;
  applied_some_.wake_all();
  co_return Result<>{};
}

Task<Result<>> Replica::Driver::receive_snapshot(Message message, SnapshotSource& source) {
  if (failure_ || scope_.stopping()) co_return fail(Errc::unavailable, "the replica has failed or stops");
  const bool fits = message.type == MessageType::snapshot && message.snapshot.has_value() &&
                    message.snapshot->meta.index == source.meta().index &&
                    message.snapshot->meta.term == source.meta().term &&
                    message.snapshot->meta.conf == source.meta().conf;
  if (!fits || environment_.snapshots == nullptr) co_return fail(Errc::invalid_argument, "no such snapshot");
  if (message.to != options_.replica) co_return fail(Errc::not_found, "the snapshot is for another replica");
  if (staging_ || installing_ || group_->status().installing) {
    co_return fail(Errc::busy, "another snapshot is taken in");
  }
  if (message.snapshot->meta.index == applied_ && message.snapshot->meta.term != term_at(applied_)) {
    co_return fail(Errc::invalid_argument, "a snapshot of another history");
  }
  // What is older than the state is for the engine to answer; it never asks to install it.
  if (message.snapshot->meta.index > applied_) {
    staging_ = true;
    auto staged = co_await environment_.snapshots->stage(source);
    staging_ = false;
    if (!staged) co_return fail(std::move(staged).error());
    if (failure_ || scope_.stopping()) co_return fail(Errc::unavailable, "the replica has failed or stops");
  }
  quiet_ = false;
  if (message.snapshot->meta.index > applied_) staged_ = message.snapshot->meta;
  const Status status = group_->step({&message, 1}, nullptr);
  work_.set();
  if (status != Status::ok) co_return fail(detail::to_error(status));
  co_return Result<>{};
}

/// The state moves on after it was offered: what is sent is the state now, and the message says so.
Result<std::unique_ptr<SnapshotSource>> Replica::Driver::take_for(Message& message) {
  if (environment_.snapshots == nullptr) return fail(Errc::not_supported, "no snapshots");
  auto source = environment_.snapshots->take();
  if (!source) return fail(std::move(source).error());
  KISEKI_ASSERT((*source)->meta().index == applied_ && message.snapshot->meta.index <= applied_);
  if (!is_member(conf(), message.to)) return fail(Errc::stale, "the receiver is no member any more");
  message.snapshot = Snapshot{{applied_, term_at(applied_), conf()}, {}};
  return source;
}

/// Every outcome is reported, or the follower gets nothing else for ever.
Task<> Replica::Driver::send_snapshot(Message message) {
  message.context = {};
  message.entries.clear();
  Result<> sent;
  if (auto source = take_for(message); source) {
    sent = co_await environment_.transport->send_snapshot(options_.group, message, **source);
  } else {
    sent = fail(std::move(source).error());
  }
  if (failure_) co_return;
  if (!sent && KISEKI_PLANTED("lost snapshot never reported")) co_return;
  group_->report_snapshot(message.to, sent ? Delivered::yes : Delivered::no);
  work_.set();
}

}  // namespace kiseki::raft
