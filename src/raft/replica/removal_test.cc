#include "raft/replica/removal.h"

#include <gtest/gtest.h>

#include "raft/replica/history.h"
#include "raft/testing/lone_replica.h"

namespace kiseki::raft {
namespace {

using detail::EntrySizes;
using detail::Removal;
using Verdict = detail::Removal::Verdict;

Message removed(NodeId from, Index index, std::vector<NodeId> voters, bool leads = true) {
  Message message{.type = MessageType::removed, .to = 1, .from = from, .term = 9, .index = index};
  message.reject = !leads;
  message.snapshot = Snapshot{{index, 9, {.voters = std::move(voters)}}, {}};
  return message;
}

const Removal::Own own{.replica = 1, .applied = 10, .term = 5, .known = {1, 2, 3}};

TEST(Removal, is_proven_by_a_majority_of_the_voters_that_go_on) {
  Removal removal;
  EXPECT_EQ(removal.hear(removed(2, 20, {2, 3, 4}), own), Verdict::claimed);
  EXPECT_EQ(removal.claim().index, 20U);
  EXPECT_EQ(removal.hear(removed(2, 21, {2, 3, 4}), own), Verdict::claimed) << "one voice, twice";
  EXPECT_EQ(removal.hear(removed(4, 22, {2, 3, 4}, false), own), Verdict::proven);
}

TEST(Removal, is_not_proven_by_a_word_that_is_no_proof) {
  Removal removal;
  Message bare = removed(2, 20, {2, 3, 4});
  bare.snapshot.reset();
  EXPECT_EQ(removal.hear(bare, own), Verdict::ignored) << "without a configuration";
  EXPECT_EQ(removal.hear(removed(2, 20, {1, 2, 3}), own), Verdict::ignored) << "I am a voter of it";
  EXPECT_EQ(removal.hear(removed(9, 20, {2, 3, 4}), own), Verdict::ignored) << "by one who is none";
  EXPECT_EQ(removal.hear(removed(2, 10, {2, 3, 4}), own), Verdict::ignored) << "of what I have applied";
  EXPECT_EQ(removal.hear(removed(2, 20, {2}, false), own), Verdict::ignored) << "by one that does not lead";
  Message old = removed(2, 20, {2, 3, 4});
  old.snapshot->meta.term = 4;
  EXPECT_EQ(removal.hear(old, own), Verdict::ignored) << "of a term before what is committed here";
  Message joint = removed(2, 20, {2, 3, 4});
  joint.snapshot->meta.conf.voters_outgoing = {1, 2, 3};
  EXPECT_EQ(removal.hear(joint, own), Verdict::ignored) << "while members are changing";
  EXPECT_EQ(removal.hear(removed(9, 20, {9}), own), Verdict::claimed) << "by a stranger alone";
}

TEST(Removal, does_not_count_who_lags_behind_the_claim) {
  Removal removal;
  EXPECT_EQ(removal.hear(removed(2, 20, {2, 3, 4}), own), Verdict::claimed);
  EXPECT_EQ(removal.hear(removed(3, 19, {2, 3, 4}, false), own), Verdict::ignored);
  EXPECT_EQ(removal.hear(removed(3, 20, {2, 3, 4}, false), own), Verdict::proven);
}

/// Its node had another replica of the group before, and what removed that one is still under way.
TEST(Removal, of_an_earlier_replica_of_the_node_is_not_that_of_the_next) {
  const Removal::Own next{.replica = replica_of(1, 4), .applied = 0, .term = 0, .known = {2, 3}};
  const auto hears = [&next](std::uint32_t newest) {
    Removal removal;
    Message word = removed(2, 20, {2, 3});
    word.snapshot->meta.conf.newest = newest;
    const auto first = removal.hear(word, next);
    word.from = 3;
    word.reject = true;
    const auto second = removal.hear(word, next);
    return std::pair(first, second);
  };
  EXPECT_EQ(hears(3), std::pair(Verdict::ignored, Verdict::ignored)) << "before it was a member";
  EXPECT_EQ(hears(4), std::pair(Verdict::claimed, Verdict::proven));
  EXPECT_EQ(hears(9), std::pair(Verdict::claimed, Verdict::proven));
}

TEST(Removal, a_replica_asks_the_voters_and_goes_when_they_agree) {
  LoneReplica world(1);
  world.run_for(std::chrono::milliseconds(100));
  Message word{.type = MessageType::removed, .to = 1, .from = 2, .term = 1'000, .index = 1'000'000};
  word.snapshot = Snapshot{{1'000'000, 1'000, {.voters = {2}}}, {}};
  word.snapshot->meta.conf.voters = {2, 3};
  world.give(word);
  world.run_for(std::chrono::milliseconds(100));
  EXPECT_FALSE(world.replica().is_removed()) << "one word removes nobody, whatever its term";
  const auto asked = world.take(MessageType::alone);
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked.front().to, 3U);
  EXPECT_EQ(asked.front().commit, 1'000'000U);
  word.from = 3;
  word.reject = true;
  world.give(word);
  EXPECT_TRUE(world.replica().is_removed());
}

/// A node comes back while what its earlier replica was told, and asked about, arrives at last.
std::string keeps_what_came_back(std::uint64_t seed) {
  const ReplicaId now = replica_of(1, 1);
  LoneReplica world(seed, {}, Replica::Quiesce::no, now);
  world.give({.type = MessageType::heartbeat, .to = now, .from = 2, .term = 5});
  world.run_for(std::chrono::milliseconds(100));
  for (const ReplicaId to : {ReplicaId{1}, now}) {
    for (const ReplicaId from : {ReplicaId{2}, ReplicaId{3}}) {
      Message word{.type = MessageType::removed, .to = to, .from = from, .term = 3, .index = 20};
      word.reject = from != 2;
      word.snapshot = Snapshot{{20, 3, {.voters = {2, 3}}}, {}};
      world.give(word);
    }
  }
  return world.replica().is_removed() ? "the word for an earlier replica removed the next" : "";
}

TEST(Removal, old_words_do_not_end_a_replica_that_came_back) {
  EXPECT_EQ(keeps_what_came_back(1), "");
  EXPECT_EQ(sim::unnoticed("an old removal proof erases the new replica", {.first = 0, .count = 1},
                           keeps_what_came_back),
            "");
}

TEST(Removal, messages_for_an_earlier_replica_of_the_node_are_lost) {
  LoneReplica world(1, {}, Replica::Quiesce::no, replica_of(1, 1));
  Message beat{.type = MessageType::heartbeat, .to = 1, .from = 2, .term = 5};
  world.give(beat);
  world.run_for(std::chrono::milliseconds(200));
  EXPECT_EQ(world.replica().term(), 0U);
  EXPECT_TRUE(world.take(MessageType::heartbeat_response).empty());
  beat.to = replica_of(1, 1);
  world.give(beat);
  world.run_for(std::chrono::milliseconds(200));
  EXPECT_EQ(world.replica().term(), 5U);
}

TEST(EntrySizes, finds_above_which_index_so_many_bytes_lie) {
  EntrySizes sizes;
  EXPECT_EQ(sizes.floor(1_MiB), 0U);
  for (Index index = 1; index <= 1000; ++index) sizes.add(index, 16_KiB);
  const Index floor = sizes.floor(1_MiB);
  EXPECT_GE(floor, 1000U - 64);
  EXPECT_LE(floor, 1000U - 60);
  EXPECT_EQ(sizes.floor(100_MiB), 0U);
  sizes.forget_through(990);
  EXPECT_GE(sizes.floor(1_MiB), 990U);
}

}  // namespace
}  // namespace kiseki::raft
