#include <algorithm>
#include <fmt/format.h>

#include "base/assert.h"
#include "base/logging.h"
#include "base/planted.h"
#include "raft/members.h"
#include "raft/replica/driver.h"

namespace kiseki::raft {

Error detail::to_error(Status status) {
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

Result<Replica::Position> Replica::Driver::propose(std::string payload) {
  KISEKI_ASSERT(!payload.empty());
  if (failure_) return fail(Errc::unavailable, "the replica has failed");
  if (role_ != Role::leader) return fail(Errc::not_leader);
  if (out_of_space_ || environment_.log.is_full()) return fail(Errc::no_space, "the log's disk is full");
  if (last_ - applied_ >= options_.proposals_max) return fail(Errc::busy, "too many proposals are under way");
  const View view = as_view(payload);
  const auto index = group_->propose({&view, 1}, nullptr);
  if (!index) return fail(detail::to_error(index.error()));
  last_ = *index;
  quiet_ = false;
  work_.set();
  return Position{*index, term_};
}

/// The engine knows no numbers.
GroupStatus Replica::Driver::status() const {
  GroupStatus status = group_->status();
  status.conf = following(conf(), std::move(status.conf));
  return status;
}

Result<> Replica::Driver::transfer_leader(ReplicaId to) {
  if (failure_) return fail(Errc::unavailable, "the replica has failed");
  if (const Status status = group_->transfer_leader(to); status != Status::ok) {
    return fail(detail::to_error(status));
  }
  // Before the order to campaign goes out.
  lease_.bar(term_);
  quiet_ = false;
  work_.set();
  return {};
}

bool Replica::Driver::is_alone() const {
  return conf().voters == std::vector{options_.replica} && conf().voters_outgoing.empty();
}

bool Replica::Driver::reads_locally() {
  if (failure_ || role_ != Role::leader || !applied_own_term_) return false;
  if (is_alone() || KISEKI_PLANTED("local read without a lease")) return true;
  lease_used_ = true;
  return lease_.holds(term_, environment_.clock.now());
}

Task<Result<>> Replica::Driver::read_barrier() {
  if (failure_ || scope_.stopping()) {
    co_return fail(Errc::unavailable, "the replica has failed or is stopping");
  }
  if (role_ != Role::leader) co_return fail(Errc::not_leader);
  if (!applied_own_term_ && KISEKI_PLANTED("read served before it is applied")) co_return Result<>{};
  const auto round = rounds_.join();
  quiet_ = false;
  work_.set();
  const bool answered =
      co_await round->done.wait_for(environment_.clock, options_.tick * options_.election_ticks);
  if (!answered) co_return fail(Errc::timed_out, "no majority answers");
  if (round->error) co_return fail(*round->error);
  co_return Result<>{};
}

/// Refused as not ready, the round is tried again when something has been applied.
void Replica::Driver::start_round() {
  if (!rounds_.wants_one()) return;
  const BootTime now = environment_.clock.now();
  const auto sequence = group_->read_index();
  if (sequence) {
    rounds_.on_sent(*sequence, now);
  } else if (sequence.error() == Status::not_leader) {
    rounds_.fail_all(Error(Errc::not_leader));
  }
}

void Replica::Driver::confirm_reads(std::span<const ReadState> reads) {
  for (const ReadState& read : reads) {
    auto sent = rounds_.confirm(read);
    if (sent && KISEKI_PLANTED("lease counted from the answers")) sent = environment_.clock.now();
    if (sent && role_ == Role::leader) lease_.grant(term_, *sent);
  }
  rounds_.on_applied(applied_);
}

void Replica::Driver::renew_lease() {
  const BootTime now = environment_.clock.now();
  if (role_ != Role::leader || !lease_used_ || !rounds_.is_empty()) return;
  if (!lease_.holds(term_, now) || !lease_.is_waning(now)) return;
  lease_used_ = false;
  rounds_.join();
}

void Replica::Driver::send(std::span<const Message> messages) {
  if (messages.empty()) return;
  KISEKI_ASSERT(environment_.transport != nullptr);
  const auto is_snapshot = [](const Message& message) { return message.type == MessageType::snapshot; };
  while (!messages.empty()) {
    const auto next = std::ranges::find_if(messages, is_snapshot);
    const auto before = static_cast<std::size_t>(next - messages.begin());
    if (before > 0) environment_.transport->send(options_.group, messages.first(before));
    if (next == messages.end()) break;
    scope_.spawn(send_snapshot(*next));
    messages = messages.subspan(before + 1);
  }
}

void Replica::Driver::send_own(MessageType type, ReplicaId to, Index index) {
  const Message message{.type = type, .to = to, .from = options_.replica, .term = term_, .index = index};
  environment_.transport->send(options_.group, {&message, 1});
}

void Replica::Driver::step(std::span<const Message> messages, const FramePtr& frame) {
  for (const Message& message : messages) {
    if (failure_) return;
    if (!accepts(message)) continue;
    // What it refuses counts as lost.
    std::ignore = group_->step({&message, 1}, frame);
    quiet_ = false;
  }
  work_.set();
}

/// What was meant for an earlier replica of this node says nothing to this one.
bool Replica::Driver::accepts(const Message& message) {
  const bool is_mine =
      message.to == options_.replica || (message.type == MessageType::alone && node_of(message.to) == here());
  const bool is_old_word =
      message.type == MessageType::removed && KISEKI_PLANTED("an old removal proof erases the new replica");
  if (!is_mine && !is_old_word) return false;
  switch (message.type) {
    case MessageType::removed:
    case MessageType::quiesce:
    case MessageType::alone:
      take_own(message);
      return false;
    case MessageType::snapshot:
      // Comes by `receive_snapshot`, with its data.
      return false;
    case MessageType::append:
    case MessageType::heartbeat:
      if (message.term < term_) return true;
      heard_from_ = message.from;
      silent_ticks_ = 0;
      return true;
    case MessageType::append_response:
    case MessageType::heartbeat_response:
      if (message.term == term_ && role_ == Role::leader) followers_.note(message, environment_.clock.now());
      return true;
    case MessageType::request_vote:
    case MessageType::request_pre_vote: {
      const bool knows = role_ == Role::leader && applied_own_term_ && applied_ > conf_known_above_;
      if (knows && message.commit <= applied_ && !is_member(conf(), message.from)) {
        send_removed(message.from, By::leader);
      }
      if (KISEKI_PLANTED("votes right after a restart")) return true;
      return environment_.clock.now() >= votes_from_;
    }
    default:
      return true;
  }
}

void Replica::Driver::take_own(const Message& message) {
  if (message.type == MessageType::alone) return take_question(message);
  if (message.type == MessageType::removed) return take_removed(message);
  const bool is_settled = message.term == term_ && message.from == leader_ && message.index == applied_;
  const bool may_sleep =
      awake_ticks_ == 0 || KISEKI_PLANTED("sleeps again on an order from before it was woken");
  if (may_sleep && is_settled && options_.quiesce == Quiesce::yes && group_->can_quiesce()) quiet_ = true;
}

/// Until it would have stood for election: an order to go quiet may still be on its way from a leader that is
/// lost.
void Replica::Driver::wake() {
  if (KISEKI_PLANTED("a lost node wakes nobody")) return;
  quiet_ = false;
  awake_ticks_ = options_.election_ticks_max;
}

/// A group without other members needs no ticks while it has nothing to do. Among several the leader decides,
/// after a whole election timeout of idleness.
void Replica::Driver::quiesce() {
  const auto members = members_of(conf());
  const bool is_idle = rounds_.is_empty() && departed_.empty() && group_->can_quiesce();
  if (members == std::vector{options_.replica}) {
    quiet_ = is_idle;
    return;
  }
  if (awake_ticks_ > 0) --awake_ticks_;
  if (quiet_ && !group_->can_quiesce()) quiet_ = false;
  if (quiet_ || options_.quiesce == Quiesce::no || role_ != Role::leader) return;
  idle_ticks_ = is_idle && awake_ticks_ == 0 ? idle_ticks_ + 1 : 0;
  if (idle_ticks_ < options_.election_ticks || lease_.holds(term_, environment_.clock.now())) return;
  idle_ticks_ = 0;
  quiet_ = true;
  for (const ReplicaId member : members) {
    if (member != options_.replica) send_own(MessageType::quiesce, member, applied_);
  }
}

void Replica::Driver::unreachable(ReplicaId replica) {
  if (failure_) return;
  group_->report_unreachable(replica);
  work_.set();
}

}  // namespace kiseki::raft
