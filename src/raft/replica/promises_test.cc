#include <gtest/gtest.h>

#include "base/codec.h"
#include "raft/testing/lone_replica.h"

// What a replica promises to others, by directed schedules: each is kept, and each is seen to be broken when
// the fault that breaks it is planted.

namespace kiseki::raft {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Term term = 50;  // above any that the replica reaches by itself

std::string command(std::uint8_t key, std::uint64_t value) {
  return Command{.number = value, .key = key, .value = value}.encode();
}

Message append_of(std::span<const std::string> payloads, Index after, Term after_term, Index commit) {
  Message message{.type = MessageType::append,
                  .to = 1,
                  .from = 2,
                  .term = term,
                  .log_term = after_term,
                  .index = after,
                  .commit = commit};
  for (const std::string& payload : payloads) {
    message.entries.push_back({++after, term, EntryType::normal, as_view(payload), nullptr});
  }
  return message;
}

Message vote_request(NodeId from, MessageType type, Term of) {
  return {.type = type, .to = 1, .from = from, .term = of, .log_term = term, .index = 100};
}

bool grants(const std::vector<Message>& answers, NodeId to) {
  return std::ranges::any_of(answers, [to](const Message& one) { return one.to == to && !one.reject; });
}

/// Longer than an election timeout: after that a replica that started votes.
constexpr Duration patience = milliseconds(600);

std::string votes_once_a_term(std::uint64_t seed) {
  LoneReplica world(seed);
  world.run_for(patience);
  world.give(vote_request(2, MessageType::request_vote, term));
  std::vector<Message> answers;
  if (!world.run_until([&] { return grants(answers = world.take(MessageType::request_vote_response), 2); })) {
    return "no vote at all";
  }
  world.restart();
  world.run_for(patience);
  world.give(vote_request(3, MessageType::request_vote, term));
  world.run_for(milliseconds(300));
  const bool twice = grants(world.take(MessageType::request_vote_response), 3);
  return twice ? "two votes in one term" : "";
}

/// Votes wait behind an append that is being flushed, and before what only sends: what comes of all is one
/// write.
std::string votes_once_a_term_amid_others(std::uint64_t seed, Term terms) {
  LoneReplica world(seed);
  world.node().disk().faults() = {.slow = 1'000'000, .slow_latency = seconds(1)};
  const std::vector<std::string> payloads{command(0, 1)};
  world.give(append_of(payloads, 1, 1, 1));
  world.run_for(patience);
  for (Term later = 1; later <= terms; ++later) {
    const Message wanted = vote_request(3, MessageType::request_vote, term + later);
    world.give(wanted);
    world.run_for(milliseconds(1));
    world.give(wanted);
    world.run_for(milliseconds(1));
  }
  Term voted = 0;
  world.run_until([&] {
    for (const Message& one : world.take(MessageType::request_vote_response)) {
      if (!one.reject) voted = one.term;
    }
    return voted == term + terms;
  });
  if (voted != term + terms) return "no vote at all";
  world.node().disk().faults() = {};
  world.restart();
  world.run_for(patience);
  world.give(vote_request(2, MessageType::request_vote, term + terms));
  world.run_for(milliseconds(300));
  const bool twice = grants(world.take(MessageType::request_vote_response), 2);
  return twice ? "two votes in one term" : "";
}

/// What a new leader replaces waits, like what replaces it, behind an append that is being flushed.
std::string keeps_what_replaces_a_suffix(std::uint64_t seed) {
  LoneReplica world(seed);
  world.node().disk().faults() = {.slow = 1'000'000, .slow_latency = seconds(1)};
  const std::vector<std::string> first{command(0, 1)}, behind{command(0, 2), command(0, 3)},
      other{command(0, 4)};
  Message replacing = append_of(other, 3, term, 1);
  replacing.from = 3;
  replacing.term = replacing.entries.front().term = term + 1;
  for (const Message& message : {append_of(first, 1, 1, 1), append_of(behind, 2, term, 1), replacing}) {
    world.give(message);
    world.run_for(milliseconds(1));
  }
  bool is_confirmed = false;
  world.run_until([&] {
    for (const Message& one : world.take(MessageType::append_response)) {
      is_confirmed = is_confirmed || (one.to == 3 && !one.reject && one.index == 4);
    }
    return is_confirmed;
  });
  if (!is_confirmed) return "not confirmed";
  world.node().disk().faults() = {};
  world.restart();
  Message next = append_of({}, 4, term + 1, 1);
  next.from = 3;
  next.term = term + 1;
  world.give(next);
  world.run_for(milliseconds(300));
  return grants(world.take(MessageType::append_response), 3) ? "" : "other entries than were confirmed";
}

/// Cuts the power at the moment the replica confirms entries.
std::string keeps_what_it_confirms(std::uint64_t seed, bool is_repeated) {
  LoneReplica world(seed);
  const std::vector<std::string> payloads{command(0, 1), command(0, 2)};
  const Message message = append_of(payloads, 1, 1, 1);
  world.give(message);
  if (is_repeated) {
    world.run_for(milliseconds(1));
    world.give(message);
  }
  Index confirmed = 0;
  world.run_until([&] {
    for (const Message& one : world.take(MessageType::append_response)) confirmed = one.index;
    return confirmed > 1;
  });
  world.restart();
  const Index last = world.replica().status().last;
  return confirmed != 3 || last < confirmed ? fmt::format("confirmed {}, kept {}", confirmed, last) : "";
}

std::string keeps_what_it_confirms_once(std::uint64_t seed) { return keeps_what_it_confirms(seed, false); }
std::string keeps_what_it_confirms_again(std::uint64_t seed) { return keeps_what_it_confirms(seed, true); }

/// A write that another leader acknowledged is in the log, and this one leads before it has applied it.
std::string reads_what_is_committed(std::uint64_t seed) {
  bool may_be_served = false;
  LoneReplica world(seed);
  const std::vector<std::string> payloads{command(0, 7)};
  world.give(append_of(payloads, 1, 1, 1));
  if (!world.run_until([&] { return !world.take(MessageType::append_response).empty(); })) return "no answer";
  world.answer();
  if (!world.run_until([&] { return world.node().is_leader(); })) return "no leader";
  world.start_read(may_be_served);
  if (!world.run_until([&] { return may_be_served; })) return "no read";
  return world.node().machine().read(0) == 7 ? "" : "a committed write is not seen";
}

/// Late answers to one question are no answers to the next.
std::string asks_anew_for_every_read(std::uint64_t seed) {
  bool first = false;
  bool second = false;
  LoneReplica world(seed);
  world.lead();
  world.hold_heartbeats();
  world.start_read(first);
  world.run_for(milliseconds(50));
  // What was sent so far is all that the peers will ever answer.
  world.start_read(second);
  world.release();
  world.hold_heartbeats();
  world.run_for(milliseconds(20));
  if (!first) return "the first read is not answered";
  return second ? "a read is served by answers from before it" : "";
}

/// The moment until which voters keep to a leader whose question they answered at once: theirs are the
/// fastest clocks, and their first tick comes with the question.
constexpr Duration promise = milliseconds(450) * 1000 / 1050;

/// Whether a read is local when the promise given for a question has ended.
std::string lease_ends_in_time(std::uint64_t seed, Duration answer_after, std::int32_t drift) {
  bool is_answered = false;
  LoneReplica world(seed);
  world.lead();
  world.node().clock().set_drift(drift);
  world.hold_heartbeats();
  world.start_read(is_answered);
  const BootTime asked = world.loop().now();
  world.run_for(answer_after);
  world.release();
  // Nobody answers any more.
  world.hold_heartbeats();
  world.run_for(milliseconds(5));
  if (!is_answered) return "the question is not answered";
  if (!world.replica().reads_locally()) return "no lease";
  world.run_for(asked + promise - world.loop().now());
  return world.replica().reads_locally() ? "a lease outlives the promise of its voters" : "";
}

std::string lease_ends_in_time_by_a_slow_clock(std::uint64_t seed) {
  return lease_ends_in_time(seed, milliseconds(1), -50);
}
std::string lease_ends_in_time_for_late_answers(std::uint64_t seed) {
  return lease_ends_in_time(seed, milliseconds(200), 0);
}

std::string keeps_to_a_leader_over_a_restart(std::uint64_t seed) {
  LoneReplica world(seed);
  world.run_for(patience);
  world.give({.type = MessageType::heartbeat, .to = 1, .from = 2, .term = term, .commit = 1});
  if (!world.run_until([&] { return !world.take(MessageType::heartbeat_response).empty(); }))
    return "no answer";
  world.restart();
  world.run_for(milliseconds(50));
  world.give(vote_request(3, MessageType::request_vote, term + 1));
  world.run_for(milliseconds(300));
  const bool forgot = grants(world.take(MessageType::request_vote_response), 3);
  return forgot ? "a vote against a leader who may hold a lease" : "";
}

/// One piece: registers by key and value behind a digest, as the machine writes them.
class OnePiece final : public SnapshotSource {
 public:
  explicit OnePiece(SnapshotMeta meta) : meta_(std::move(meta)) {}
  const SnapshotMeta& meta() const override { return meta_; }
  Task<Result<std::optional<std::string>>> next() override {
    if (std::exchange(is_given_, true)) co_return std::nullopt;
    std::string state;
    Encoder(state).integer(std::uint64_t{1}).integer(std::uint8_t{0}).integer(std::uint64_t{5});
    co_return state;
  }

 private:
  SnapshotMeta meta_;
  bool is_given_ = false;
};

bool takes(LoneReplica& world, OnePiece& source) {
  const Message message{.type = MessageType::snapshot,
                        .to = 1,
                        .from = 2,
                        .term = term,
                        .snapshot = Snapshot{source.meta(), {}}};
  return world.loop().get(world.replica().receive_snapshot(message, source)).has_value();
}

std::string applies_behind_a_snapshot(std::uint64_t seed) {
  LoneReplica world(seed, {0, 0, {}});
  OnePiece source({10, term, {.voters = {1, 2, 3}}});
  if (!takes(world, source)) return "the snapshot is refused";
  if (!world.run_until([&] { return !world.take(MessageType::append_response).empty(); })) return "no answer";
  const std::vector<std::string> payloads{command(1, 6)};
  world.give(append_of(payloads, 10, term, 11));
  world.run_for(milliseconds(400));
  const auto& machine = world.node().machine();
  const bool is_right = machine.applied() == 11 && machine.read(0) == 5 && machine.read(1) == 6;
  return is_right ? ""
                  : fmt::format("applied {}: {}, {}", machine.applied(), machine.read(0), machine.read(1));
}

std::string recovers_an_installation(std::uint64_t seed) {
  LoneReplica world(seed, {0, 0, {}});
  OnePiece source({10, term, {.voters = {1, 2, 3}}});
  if (!takes(world, source)) return "the snapshot is refused";
  if (!world.run_until([&] { return world.node().machine().applied() == 10; })) return "not installed";
  world.node().crash();
  world.node().start();
  if (!world.node().is_up()) return "does not start again";
  return world.node().machine().read(0) == 5 ? "" : "the installed state is lost";
}

/// Alone until a committed change of members, which a power cut took back from the state, is applied again.
std::string starts_with_a_change_of_members(std::uint64_t seed) {
  LoneReplica world(seed, {1, 1, {.voters = {1}}});
  const ConfChange change{ConfChange::Type::add_voter, 2};
  if (!world.replica().propose_conf({&change, 1})) return "no change of members";
  world.run_for(milliseconds(300));
  world.restart();
  return world.replica().status().conf.voters.size() == 2 ? "" : "the change of members is lost";
}

/// A transfer that comes to nothing: the order to campaign may still arrive.
std::string has_no_lease_after_a_transfer(std::uint64_t seed, bool is_given_up) {
  bool is_answered = false;
  bool is_answered_again = false;
  LoneReplica world(seed);
  world.lead();
  world.start_read(is_answered);
  world.run_for(milliseconds(20));
  if (!is_answered || !world.replica().reads_locally()) return "no lease";
  const Term of = world.replica().term();
  if (!world.replica().transfer_leader(2)) return "no transfer";
  if (is_given_up) {
    world.run_for(seconds(2));
    world.start_read(is_answered_again);
    world.run_for(milliseconds(20));
    if (!is_answered_again || world.replica().term() != of) return "no leader any more";
  }
  return world.replica().reads_locally() ? "a lease in the term of a transfer" : "";
}

std::string has_no_lease_during_a_transfer(std::uint64_t seed) {
  return has_no_lease_after_a_transfer(seed, false);
}
std::string has_no_lease_after_a_vain_transfer(std::uint64_t seed) {
  return has_no_lease_after_a_transfer(seed, true);
}

/// The voters that join have promised nothing.
std::string has_no_lease_after_a_change_of_members(std::uint64_t seed) {
  bool is_answered = false;
  LoneReplica world(seed);
  world.lead();
  world.start_read(is_answered);
  world.run_for(milliseconds(20));
  if (!is_answered || !world.replica().reads_locally()) return "no lease";
  world.hold_heartbeats();
  const std::vector<ConfChange> changes{{ConfChange::Type::add_voter, 4}, {ConfChange::Type::add_voter, 5}};
  if (!world.replica().propose_conf(changes)) return "no change of members";
  if (!world.run_until([&] { return world.replica().status().conf.voters.size() == 5; })) return "no change";
  return world.replica().reads_locally() ? "a lease of the voters before" : "";
}

/// A follower is told that its quiet leader is lost; what that leader sent before arrives afterwards.
std::string stays_awake_when_a_node_is_lost(std::uint64_t seed) {
  LoneReplica world(seed, {1, 1, {.voters = {1, 2, 3}}}, Replica::Quiesce::yes);
  world.give({.type = MessageType::heartbeat, .to = 1, .from = 2, .term = term, .commit = 1});
  const Message order{.type = MessageType::quiesce, .to = 1, .from = 2, .term = term, .index = 1};
  world.run_for(milliseconds(200));
  world.give(order);
  world.run_for(seconds(3));
  if (!world.take(MessageType::request_pre_vote).empty()) return "a quiet replica stands for election";
  world.replica().wake();
  world.run_for(milliseconds(100));
  world.give(order);
  world.run_for(seconds(3));
  return world.take(MessageType::request_pre_vote).empty() ? "the loss of the leader goes unnoticed" : "";
}

struct Promise {
  std::string_view fault;
  std::string (*broken)(std::uint64_t seed);  ///< How, or nothing.
};

class Promises : public testing::TestWithParam<Promise> {};

/// What a power cut leaves of a write is drawn.
constexpr std::uint64_t seeds = 20;

TEST_P(Promises, are_kept) {
  for (std::uint64_t seed = 0; seed < seeds; ++seed)
    EXPECT_EQ(GetParam().broken(seed), "") << "seed " << seed;
}

TEST_P(Promises, are_seen_to_be_broken) {
  EXPECT_EQ(sim::unnoticed(GetParam().fault, {.first = 0, .count = seeds}, GetParam().broken), "");
}

TEST(Promise, a_vote_amid_other_writes_is_durable_before_it_is_sent) {
  for (const Term terms : {Term{1}, Term{2}}) {
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
      EXPECT_EQ(votes_once_a_term_amid_others(seed, terms), "");
    }
  }
}

TEST(Promise, what_replaces_a_suffix_amid_other_writes_is_kept) {
  for (std::uint64_t seed = 0; seed < seeds; ++seed) EXPECT_EQ(keeps_what_replaces_a_suffix(seed), "");
}

TEST(Promise, a_leader_keeps_its_own_vote) {
  LoneReplica world(1);
  world.lead();
  for (const auto type : {ConfChange::Type::remove, ConfChange::Type::add_learner}) {
    const ConfChange change{type, 1};
    const auto proposed = world.replica().propose_conf({&change, 1});
    EXPECT_EQ(proposed.error().code(), Errc::invalid_argument);
  }
}

TEST(Promise, a_lease_ends_with_its_voters) {
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    EXPECT_EQ(has_no_lease_after_a_change_of_members(seed), "");
  }
}

TEST(Promise, entries_behind_a_snapshot_wait_for_it) { EXPECT_EQ(applies_behind_a_snapshot(1), ""); }

TEST(Promise, a_committed_change_of_members_is_applied_before_an_election) {
  for (std::uint64_t seed = 0; seed < seeds; ++seed) EXPECT_EQ(starts_with_a_change_of_members(seed), "");
}

INSTANTIATE_TEST_SUITE_P(
    Consensus, Promises,
    testing::Values(Promise{"vote not persisted", votes_once_a_term},
                    Promise{"messages before persist", keeps_what_it_confirms_once},
                    Promise{"messages of an empty ready at once", keeps_what_it_confirms_again},
                    Promise{"read served before it is applied", reads_what_is_committed},
                    Promise{"read joined to a round under way", asks_anew_for_every_read},
                    Promise{"lease as long as the election timeout", lease_ends_in_time_by_a_slow_clock},
                    Promise{"lease counted from the answers", lease_ends_in_time_for_late_answers},
                    Promise{"votes right after a restart", keeps_to_a_leader_over_a_restart},
                    Promise{"lease kept through a transfer", has_no_lease_during_a_transfer},
                    Promise{"lease granted again after a transfer", has_no_lease_after_a_vain_transfer},
                    Promise{"sleeps again on an order from before it was woken",
                            stays_awake_when_a_node_is_lost},
                    Promise{"state replaced before the log's base", recovers_an_installation}),
    [](const auto& each) {
      std::string name(each.param.fault);
      std::ranges::replace_if(name, [](char c) { return std::isalnum(c) == 0; }, '_');
      return name;
    });

}  // namespace
}  // namespace kiseki::raft
