#include <algorithm>

#include "base/logging.h"
#include "base/planted.h"
#include "raft/members.h"
#include "raft/replica/driver.h"

// Who is a member: changes, the end of one, and how who is none any more gets to know.

namespace kiseki::raft {

namespace {

/// How often a replica is told that it is no member, an election timeout apart.
constexpr std::uint32_t told_max = 8;

}  // namespace

/// The last to know of a leader's own removal would be those who need its vote to go on without it.
Result<Replica::Position> Replica::Driver::propose_conf(std::span<const ConfChange> changes) {
  if (failure_) return fail(Errc::unavailable, "the replica has failed");
  if (role_ != Role::leader) return fail(Errc::not_leader);
  const auto ends_me = [this](const ConfChange& change) {
    return change.replica == options_.replica && change.type != ConfChange::Type::add_voter;
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

Result<Replica::Position> Replica::Driver::change_members(std::span<const MemberChange> changes) {
  const auto resolved = resolve(conf(), changes);
  if (!resolved) return fail(resolved.error());
  return propose_conf(*resolved);
}

void Replica::Driver::leave_joint() {
  if (role_ != Role::leader || !applied_own_term_ || conf().voters_outgoing.empty()) return;
  if (KISEKI_PLANTED("joint configuration never left")) return;
  if (std::ranges::find(conf().voters, options_.replica) != conf().voters.end()) {
    if (const auto index = group_->propose_conf({}, Joint::if_needed, AutoLeave::no)) last_ = *index;
    return;
  }
  const ReplicaId next = followers_.furthest(conf().voters, heard_since());
  if (next != 0 && group_->status().transferee == 0) std::ignore = transfer_leader(next);
}

void Replica::Driver::send_removed(ReplicaId to, By by) {
  if (!conf().voters_outgoing.empty()) return;
  Message message{
      .type = MessageType::removed, .to = to, .from = options_.replica, .term = term_, .index = applied_};
  message.reject = by == By::voter;
  message.snapshot = Snapshot{{applied_, term_at(applied_), conf()}, {}};
  environment_.transport->send(options_.group, {&message, 1});
}

/// Its own log may prove it; then the word only says that nobody needs its vote any more. Else the voters of
/// the configuration it is missing from must.
void Replica::Driver::take_removed(const Message& message) {
  const bool knows_conf = !conf().voters.empty();
  if (knows_conf && !is_member(conf(), options_.replica)) {
    if (message.index > history_.conf_since()) removed_here();
    return;
  }
  std::vector<NodeId> known;
  for (const ReplicaId member : members_of(conf())) known.push_back(node_of(member));
  known.insert(known.end(), options_.others.begin(), options_.others.end());
  if (heard_from_ != 0) known.push_back(node_of(heard_from_));
  switch (removal_.hear(message, {options_.replica, applied_, term_at(applied_), std::move(known)})) {
    case detail::Removal::Verdict::ignored:
      return;
    case detail::Removal::Verdict::proven:
      return removed_here();
    case detail::Removal::Verdict::claimed:
      break;
  }
  for (const ReplicaId voter : removal_.claim().conf.voters) {
    const Message question{.type = MessageType::alone,
                           .to = voter,
                           .from = options_.replica,
                           .term = term_,
                           .index = applied_,
                           .commit = removal_.claim().index};
    if (voter != message.from) environment_.transport->send(options_.group, {&question, 1});
  }
}

/// Whoever asks may not know who leads now: that one is told, once.
void Replica::Driver::take_question(const Message& message) {
  if (is_member(conf(), message.from)) return;
  if (role_ != Role::leader) {
    if (message.commit != 0 && applied_ >= message.commit) return send_removed(message.from, By::voter);
    if (message.reject || leader_ == 0 || leader_ == options_.replica) return;
    const Message passed{.type = message.type, .to = leader_, .from = message.from, .reject = true};
    return environment_.transport->send(options_.group, {&passed, 1});
  }
  if (answering_.size() < ConfState::members_max && answering_.insert(message.from).second) {
    scope_.spawn(answer_alone(message.from));
  }
}

/// A leader that a majority confirmed after the question knows of every member there was when it was asked.
Task<> Replica::Driver::answer_alone(ReplicaId replica) {
  const auto confirmed = co_await read_barrier();
  const bool knows = confirmed && role_ == Role::leader && applied_ > conf_known_above_;
  if (knows && !is_member(conf(), replica)) send_removed(replica, By::leader);
  answering_.erase(replica);
}

void Replica::Driver::removed_here() {
  if (std::exchange(removed_, true)) return;
  log::info("raft", "group {}: goes on without replica {}", options_.group.value(), options_.replica);
  environment_.machine.removed();
}

/// Who left is told once a later entry is committed: until then those who remain may need its vote to learn
/// that it left.
void Replica::Driver::tell_departed() {
  if (role_ != Role::leader) return;
  for (auto& [node, departed] : departed_) {
    if (applied_ <= departed.last || is_member(conf(), node)) continue;
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
  auto asked = members_of(conf());
  if (asked.empty()) {
    for (const NodeId node : options_.others) asked.push_back(replica_of(node, 0));
  }
  if (heard_from_ != 0 && std::ranges::find(asked, heard_from_) == asked.end()) asked.push_back(heard_from_);
  for (const ReplicaId replica : asked) {
    if (node_of(replica) != here()) send_own(MessageType::alone, replica, applied_);
  }
}

}  // namespace kiseki::raft
