#include <algorithm>
#include <fmt/format.h>

#include "base/assert.h"
#include "base/logging.h"
#include "base/planted.h"
#include "raft/replica/driver.h"

namespace kiseki::raft {

namespace {

/// How often a replica is told that it is no member, an election timeout apart.
constexpr std::uint32_t told_max = 8;

}  // namespace

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

/// The last to know of a leader's own removal would be those who need its vote to go on without it.
Result<Replica::Position> Replica::Driver::propose_conf(std::span<const ConfChange> changes) {
  if (failure_) return fail(Errc::unavailable, "the replica has failed");
  if (role_ != Role::leader) return fail(Errc::not_leader);
  const auto ends_me = [this](const ConfChange& change) {
    return change.node == options_.node && change.type != ConfChange::Type::add_voter;
  };
  if (changes.empty() || std::ranges::any_of(changes, ends_me)) {
    return fail(Errc::invalid_argument, "a leader hands over before it stops to vote");
  }
  const auto index = group_->propose_conf(changes, Joint::if_needed, AutoLeave::no);
  if (!index) return fail(detail::to_error(index.error()));
  last_ = *index;
  quiet_ = false;
  work_.set();
  return Position{*index, term_};
}

Result<> Replica::Driver::transfer_leader(NodeId to) {
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

void Replica::Driver::leave_joint() {
  if (role_ != Role::leader || !applied_own_term_ || conf().voters_outgoing.empty()) return;
  if (KISEKI_PLANTED("joint configuration never left")) return;
  if (std::ranges::find(conf().voters, options_.node) != conf().voters.end()) {
    if (const auto index = group_->propose_conf({}, Joint::if_needed, AutoLeave::no)) last_ = *index;
    return;
  }
  const NodeId next = followers_.furthest(conf().voters, heard_since());
  if (next != 0 && group_->status().transferee == 0) std::ignore = transfer_leader(next);
}

bool Replica::Driver::is_alone() const {
  return conf().voters == std::vector{options_.node} && conf().voters_outgoing.empty();
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

void Replica::Driver::send_own(MessageType type, NodeId to, Index index) {
  const Message message{.type = type, .to = to, .from = options_.node, .term = term_, .index = index};
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

bool Replica::Driver::accepts(const Message& message) {
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
      if (knows && message.commit <= applied_ && !detail::is_member(conf(), message.from)) {
        send_removed(message.from, By::leader);
      }
      if (KISEKI_PLANTED("votes right after a restart")) return true;
      return environment_.clock.now() >= votes_from_;
    }
    default:
      return true;
  }
}

void Replica::Driver::send_removed(NodeId to, By by) {
  if (!conf().voters_outgoing.empty()) return;
  Message message{
      .type = MessageType::removed, .to = to, .from = options_.node, .term = term_, .index = applied_};
  message.reject = by == By::voter;
  message.snapshot = Snapshot{{applied_, term_at(applied_), conf()}, {}};
  environment_.transport->send(options_.group, {&message, 1});
}

/// Its own log may prove it; then the word only says that nobody needs its vote any more. Else the voters of
/// the configuration it is missing from must.
void Replica::Driver::take_removed(const Message& message) {
  const bool knows_conf = !conf().voters.empty();
  if (knows_conf && !detail::is_member(conf(), options_.node)) {
    if (message.index > history_.conf_since()) removed_here();
    return;
  }
  auto known = detail::members_of(conf());
  known.insert(known.end(), options_.others.begin(), options_.others.end());
  if (heard_from_ != 0) known.push_back(heard_from_);
  switch (removal_.hear(message, {options_.node, applied_, term_at(applied_), std::move(known)})) {
    case detail::Removal::Verdict::ignored:
      return;
    case detail::Removal::Verdict::proven:
      return removed_here();
    case detail::Removal::Verdict::claimed:
      break;
  }
  for (const NodeId voter : removal_.claim().conf.voters) {
    const Message question{.type = MessageType::alone,
                           .to = voter,
                           .from = options_.node,
                           .term = term_,
                           .index = applied_,
                           .commit = removal_.claim().index};
    if (voter != message.from) environment_.transport->send(options_.group, {&question, 1});
  }
}

/// Whoever asks may not know who leads now: that one is told, once.
void Replica::Driver::take_question(const Message& message) {
  if (detail::is_member(conf(), message.from)) return;
  if (role_ != Role::leader) {
    if (message.commit != 0 && applied_ >= message.commit) return send_removed(message.from, By::voter);
    if (message.reject || leader_ == 0 || leader_ == options_.node) return;
    const Message passed{.type = message.type, .to = leader_, .from = message.from, .reject = true};
    return environment_.transport->send(options_.group, {&passed, 1});
  }
  if (answering_.size() < ConfState::members_max && answering_.insert(message.from).second) {
    scope_.spawn(answer_alone(message.from));
  }
}

/// A leader that a majority confirmed after the question knows of every member there was when it was asked.
Task<> Replica::Driver::answer_alone(NodeId node) {
  const auto confirmed = co_await read_barrier();
  const bool knows = confirmed && role_ == Role::leader && applied_ > conf_known_above_;
  if (knows && !detail::is_member(conf(), node)) send_removed(node, By::leader);
  answering_.erase(node);
}

void Replica::Driver::take_own(const Message& message) {
  if (message.to != options_.node) return;
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

void Replica::Driver::removed_here() {
  if (std::exchange(removed_, true)) return;
  log::info("raft", "group {}: goes on without replica {}", options_.group.value(), options_.node);
  environment_.machine.removed();
}

/// Who left is told once a later entry is committed: until then those who remain may need its vote to learn
/// that it left.
void Replica::Driver::tell_departed() {
  if (role_ != Role::leader) return;
  for (auto& [node, departed] : departed_) {
    if (applied_ <= departed.last || detail::is_member(conf(), node)) continue;
    if (departed.told++ % options_.election_ticks == 0) send_removed(node, By::leader);
  }
  std::erase_if(departed_,
                [this](const auto& one) { return one.second.told > told_max * options_.election_ticks; });
}

/// Who has no vote never stands for election, and who has one stands before the members it knows, of which
/// none may lead any more: left alone, both ask whether their group goes on without them.
void Replica::Driver::ask_for_end() {
  if (role_ == Role::leader) silent_ticks_ = 0;
  if (KISEKI_PLANTED("nobody who is left alone asks whether it was removed")) return;
  if (++silent_ticks_ < options_.election_ticks_max) return;
  silent_ticks_ = 0;
  auto asked = detail::members_of(conf());
  if (asked.empty()) asked = options_.others;
  if (heard_from_ != 0 && std::ranges::find(asked, heard_from_) == asked.end()) asked.push_back(heard_from_);
  for (const NodeId node : asked) {
    if (node != options_.node) send_own(MessageType::alone, node, applied_);
  }
}

/// A group without other members needs no ticks while it has nothing to do. Among several the leader decides,
/// after a whole election timeout of idleness.
void Replica::Driver::quiesce() {
  const auto members = detail::members_of(conf());
  const bool is_idle = rounds_.is_empty() && departed_.empty() && group_->can_quiesce();
  if (members == std::vector{options_.node}) {
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
  for (const NodeId node : members) {
    if (node != options_.node) send_own(MessageType::quiesce, node, applied_);
  }
}

void Replica::Driver::unreachable(NodeId node) {
  if (failure_) return;
  group_->report_unreachable(node);
  work_.set();
}

}  // namespace kiseki::raft
