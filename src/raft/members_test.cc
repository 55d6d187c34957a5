#include "raft/members.h"

#include <gtest/gtest.h>

#include "base/codec.h"
#include "raft/conf_codec.h"

namespace kiseki::raft {
namespace {

using Type = ConfChange::Type;

std::vector<ReplicaId> ids(const std::vector<ConfChange>& changes) {
  std::vector<ReplicaId> all;
  for (const ConfChange& change : changes) all.push_back(change.replica);
  return all;
}

TEST(Members, a_node_that_comes_back_is_another_replica) {
  ConfState conf{.voters = {1, 2, 3}};
  conf = following(conf, {.voters = {1, 2}});
  const std::vector<MemberChange> back{{Type::add_learner, 3}};
  const auto first = resolve(conf, back);
  ASSERT_TRUE(first);
  EXPECT_EQ(ids(*first), std::vector{replica_of(3, 1)});
  conf = following(conf, {.voters = {1, 2}, .learners = {replica_of(3, 1)}});
  EXPECT_EQ(conf.newest, 1U);
  conf = following(conf, {.voters = {1, 2}});
  EXPECT_EQ(conf.newest, 1U) << "what was given out stays so";
  const auto second = resolve(conf, back);
  ASSERT_TRUE(second);
  EXPECT_EQ(ids(*second), std::vector{replica_of(3, 2)});
}

TEST(Members, are_promoted_and_removed_under_the_id_they_have) {
  const ConfState conf{.voters = {1, 2}, .learners = {replica_of(3, 7)}, .newest = 7};
  const std::vector<MemberChange> changes{
      {Type::add_voter, 3}, {Type::remove, 2}, {Type::add_voter, 4}, {Type::add_voter, 5}};
  const auto resolved = resolve(conf, changes);
  ASSERT_TRUE(resolved);
  EXPECT_EQ(ids(*resolved),
            (std::vector<ReplicaId>{replica_of(3, 7), 2, replica_of(4, 8), replica_of(5, 9)}));
}

TEST(Members, a_change_that_makes_no_sense_is_refused) {
  const ConfState conf{.voters = {1, 2}, .newest = 0xffff'ffff};
  const auto code_of = [&conf](std::vector<MemberChange> changes) {
    const auto resolved = resolve(conf, changes);
    return resolved ? Errc{} : resolved.error().code();
  };
  EXPECT_EQ(code_of({{Type::remove, 3}}), Errc::invalid_argument);
  EXPECT_EQ(code_of({{Type::remove, 2}, {Type::add_voter, 2}}), Errc::invalid_argument);
  EXPECT_EQ(code_of({{Type::add_voter, 0}}), Errc::invalid_argument);
  EXPECT_EQ(code_of({{Type::add_voter, node_max + 1}}), Errc::invalid_argument);
  EXPECT_EQ(code_of({{Type::add_voter, 3}}), Errc::out_of_range) << "all numbers are given out";
}

TEST(Members, that_were_never_given_out_are_not_read) {
  const auto reads = [](const ConfState& conf) {
    std::string bytes;
    Encoder out(bytes);
    encode_conf(out, conf);
    Decoder in(as_view(bytes));
    const ConfState read = decode_conf(in);
    return in.finish("members") && read == conf;
  };
  EXPECT_TRUE(reads({.voters = {1, replica_of(2, 4)}, .newest = 4}));
  EXPECT_FALSE(reads({.voters = {1, replica_of(2, 5)}, .newest = 4}));
}

}  // namespace
}  // namespace kiseki::raft
