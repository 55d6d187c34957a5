#include "raft/group.h"

#include <gtest/gtest.h>

namespace kiseki::raft {
namespace {

Config config_of(ReplicaId replica) { return {.group = GroupId(7), .replica = replica}; }

ConfState voters(std::vector<NodeId> ids) { return {.voters = std::move(ids)}; }

/// Takes every ready of a one-voter group as if each were durable at once; gives what is committed.
std::vector<std::string> drain(Group& group, HardState* hard = nullptr) {
  std::vector<std::string> applied;
  while (auto ready = group.ready()) {
    if (ready->hard_state && hard != nullptr) *hard = *ready->hard_state;
    group.on_persisted(ready->number);
    for (const Entry& entry : ready->committed) {
      applied.emplace_back(as_text(entry.data));
      group.advance_apply(entry.index);
    }
  }
  return applied;
}

std::unique_ptr<Group> open_singleton(Restart restart = {.conf = voters({1})}) {
  return Group::open(config_of(1), restart);
}

TEST(Group, one_voter_elects_itself_and_commits_what_is_persisted) {
  const auto group = open_singleton();
  ASSERT_EQ(group->campaign(), Status::ok);
  EXPECT_EQ(group->status().role, Role::leader);
  EXPECT_EQ(drain(*group), std::vector<std::string>{""});

  const auto frame = std::make_shared<const Buffer>(Buffer::copy_of(as_view("onetwo")));
  const std::vector<View> payloads{frame->view().first(3), frame->view().subspan(3)};
  EXPECT_EQ(group->propose(payloads, frame), 2U);
  auto ready = group->ready();
  ASSERT_TRUE(ready);
  EXPECT_TRUE(ready->must_sync);
  EXPECT_TRUE(ready->committed.empty());
  ASSERT_EQ(ready->entries.size(), 2U);
  EXPECT_EQ(ready->entries[0].data.data(), frame->view().data()) << "no copy";
  EXPECT_FALSE(group->ready());
  group->on_persisted(ready->number);
  EXPECT_EQ(drain(*group), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(group->status().applied, 3U);
  EXPECT_TRUE(group->can_quiesce());
}

TEST(Group, frames_are_released_when_the_tail_is_trimmed) {
  const auto group = open_singleton();
  ASSERT_EQ(group->campaign(), Status::ok);
  drain(*group);
  auto frame = std::make_shared<const Buffer>(Buffer::copy_of(as_view("one")));
  const std::weak_ptr<const Buffer> watch = frame;
  const View payload = frame->view();
  ASSERT_TRUE(group->propose({&payload, 1}, std::move(frame)));
  group->trim_tail(100);
  EXPECT_FALSE(watch.expired()) << "not applied yet";
  drain(*group);
  group->trim_tail(100);
  EXPECT_TRUE(watch.expired());
}

TEST(Group, several_readies_are_under_way_at_once) {
  const auto group = open_singleton();
  ASSERT_EQ(group->campaign(), Status::ok);
  drain(*group);
  std::vector<Ready> under_way;
  for (const std::string_view text : {"a", "b", "c"}) {
    const View payload = as_view(text);
    ASSERT_TRUE(group->propose({&payload, 1}, nullptr));
    under_way.push_back(std::move(*group->ready()));
  }
  group->on_persisted(under_way[1].number);
  const auto two = group->ready();
  ASSERT_TRUE(two);
  EXPECT_EQ(two->committed.size(), 2U);
  group->on_persisted(under_way[2].number);
  EXPECT_EQ(drain(*group), std::vector<std::string>{"c"});
}

TEST(Group, restarts_from_its_log_in_a_higher_term) {
  const std::vector<Entry> tail{{6, 2, EntryType::normal, as_view("six"), nullptr},
                                {7, 3, EntryType::normal, as_view("seven"), nullptr}};
  const auto group = open_singleton({.base_index = 5,
                                     .base_term = 2,
                                     .hard_state = {.term = 3, .vote = 1, .commit = 0},
                                     .applied = 6,
                                     .conf = voters({1}),
                                     .tail = tail});
  EXPECT_EQ(group->status().commit, 6U);
  ASSERT_EQ(group->campaign(), Status::ok);
  EXPECT_EQ(group->status().term, 4U);
  HardState hard;
  EXPECT_EQ(drain(*group, &hard), (std::vector<std::string>{"seven", ""}));
  EXPECT_EQ(hard, (HardState{4, 1, 8}));
}

TEST(Group, a_commit_beyond_a_torn_log_is_clamped) {
  const auto group =
      open_singleton({.hard_state = {.term = 3, .vote = 1, .commit = 90}, .conf = voters({1})});
  EXPECT_EQ(group->status().commit, 0U);
  ASSERT_EQ(group->campaign(), Status::ok);
  EXPECT_EQ(drain(*group), std::vector<std::string>{""});
}

TEST(Group, reads_wait_for_a_commit_of_the_term) {
  const auto group = open_singleton();
  EXPECT_EQ(group->read_index().error(), Status::not_leader);
  ASSERT_EQ(group->campaign(), Status::ok);
  EXPECT_EQ(group->read_index().error(), Status::not_ready);
  drain(*group);
  const auto sequence = group->read_index();
  ASSERT_TRUE(sequence);
  const auto ready = group->ready();
  ASSERT_TRUE(ready);
  ASSERT_EQ(ready->reads.size(), 1U);
  EXPECT_EQ(ready->reads[0].sequence, *sequence);
  EXPECT_EQ(ready->reads[0].index, 1U);
}

TEST(Group, compacts_what_is_applied_and_no_more) {
  const auto group = open_singleton();
  ASSERT_EQ(group->campaign(), Status::ok);
  drain(*group);
  const View payload = as_view("x");
  ASSERT_TRUE(group->propose({&payload, 1}, nullptr));
  group->compact(2);
  EXPECT_EQ(group->status().first, 2U);
  EXPECT_EQ(drain(*group), std::vector<std::string>{"x"});
  group->compact(2);
  EXPECT_EQ(group->status().first, 3U);
  ASSERT_TRUE(group->propose({&payload, 1}, nullptr));
  EXPECT_EQ(drain(*group), std::vector<std::string>{"x"});
}

TEST(Group, refuses_what_would_abort_the_engine) {
  const auto learner = Group::open(config_of(1), {.conf = {.voters = {2}, .learners = {1}}});
  EXPECT_EQ(learner->campaign(), Status::not_promotable);
  for (int i = 0; i < 100; ++i) learner->tick();
  EXPECT_EQ(learner->status().role, Role::follower);
  const View empty;
  EXPECT_EQ(learner->propose({&empty, 1}, nullptr).error(), Status::not_leader);

  const auto nobody = Group::open(config_of(1), {});
  EXPECT_EQ(nobody->campaign(), Status::not_promotable);

  const auto leader = open_singleton();
  ASSERT_EQ(leader->campaign(), Status::ok);
  drain(*leader);
  EXPECT_EQ(leader->propose({}, nullptr).error(), Status::refused);
  EXPECT_EQ(leader->propose({&empty, 1}, nullptr).error(), Status::refused);
  const Message from_nowhere{.type = MessageType::heartbeat, .to = 1, .from = 9, .term = 50, .commit = 1000};
  EXPECT_EQ(leader->step({&from_nowhere, 1}, nullptr), Status::refused);
  EXPECT_EQ(leader->status().role, Role::leader);

  // A refusal would have to say the term of who has none.
  const auto newborn =
      Group::open(config_of(1), {.base_index = 1, .base_term = 1, .applied = 1, .conf = voters({1, 2})});
  const Message stale{.type = MessageType::request_pre_vote, .to = 1, .from = 2, .term = 1};
  EXPECT_EQ(newborn->step({&stale, 1}, nullptr), Status::refused);
}

TEST(Group, one_voter_with_a_learner_sends_only_what_a_crash_cannot_take_back) {
  const auto group = Group::open(config_of(1), {.conf = {.voters = {1}, .learners = {2}}});
  ASSERT_EQ(group->campaign(), Status::ok);
  const auto first = group->ready();
  ASSERT_TRUE(first);
  EXPECT_FALSE(first->messages.empty());
  EXPECT_TRUE(first->send_after_persist);
}

}  // namespace
}  // namespace kiseki::raft
