#include "chunk/placement/moves.h"

#include <bit>
#include <gtest/gtest.h>

#include "base/rng.h"

namespace kiseki::chunk::detail {
namespace {

DeviceId device(int number) { return {std::byte{0}, static_cast<std::byte>(number)}; }

DeviceList list(std::initializer_list<int> numbers) {
  DeviceList out;
  for (const int number : numbers) out.push_back(device(number));
  return out;
}

GroupRecord group_of_list(DeviceList current) {
  return {.pool = PoolId(1),
          .number = GroupNumber(7),
          .epoch = GroupEpoch(4),
          .current = std::move(current),
          .previous = {}};
}

TEST(Moves, count_k_and_1_of_a_code_two_copies_and_the_one) {
  EXPECT_EQ(fewest({.data = 4, .parity = 2}), 5U);
  EXPECT_EQ(fewest({.data = 1, .parity = 2}), 2U);
  EXPECT_EQ(fewest({.data = 1, .parity = 0}), 1U);
}

TEST(Moves, remember_every_list_until_they_end) {
  auto group = begin_move(group_of_list(list({1, 2, 3})), list({1, 4, 3}));
  EXPECT_EQ(group.epoch, GroupEpoch(5));
  EXPECT_EQ(group.current, list({1, 4, 3}));
  EXPECT_EQ(group.previous, (std::vector<PlacedIndex>{{0, device(1)}, {1, device(2)}, {2, device(3)}}));
  group = begin_move(group, list({1, 2, 5}));
  EXPECT_EQ(group.epoch, GroupEpoch(6));
  EXPECT_EQ(group.previous,
            (std::vector<PlacedIndex>{{0, device(1)}, {1, device(2)}, {1, device(4)}, {2, device(3)}}));
  group = end_move(group);
  EXPECT_FALSE(group.is_moving());
  EXPECT_EQ(group.epoch, GroupEpoch(7));
  EXPECT_EQ(group.current, list({1, 2, 5}));
}

TEST(Moves, of_a_code_end_when_every_committed_chunk_was_seen) {
  const auto group = begin_move(group_of_list(list({1, 2, 3, 4, 5, 6})), list({1, 2, 3, 4, 5, 7}));
  const auto ends = [&](DeviceList listed, DeviceList gone = {}) {
    return may_end(group, {4, 2}, {listed, gone});
  };
  EXPECT_FALSE(ends({}));
  EXPECT_FALSE(ends(list({1})));
  EXPECT_TRUE(ends(list({1, 2})));
  // Small copies stand on indexes 0 to 2 and count from two on.
  EXPECT_FALSE(ends(list({1, 5})));
  EXPECT_FALSE(ends(list({5, 6})));
  EXPECT_TRUE(ends(list({1, 3, 5})));
  // What is gone lowers the number, down to what is left, and never counts itself.
  EXPECT_FALSE(ends(list({1, 6}), list({2})));
  EXPECT_TRUE(ends(list({1, 3}), list({2})));
  EXPECT_TRUE(ends(list({1, 4}), list({2, 3})));
  EXPECT_FALSE(ends(list({2, 3}), list({2, 3})));
}

TEST(Moves, of_copies_need_all_but_one_and_of_a_single_the_one) {
  const auto copies = begin_move(group_of_list(list({1, 2, 3})), list({1, 2, 4}));
  EXPECT_FALSE(may_end(copies, {1, 2}, {list({1}), {}}));
  EXPECT_TRUE(may_end(copies, {1, 2}, {list({1, 3}), {}}));
  const auto single = begin_move(group_of_list(list({1})), list({2}));
  EXPECT_FALSE(may_end(single, {1, 0}, {list({2}), {}}));
  EXPECT_TRUE(may_end(single, {1, 0}, {list({1}), {}}));
  EXPECT_TRUE(may_end(single, {1, 0}, {{}, list({1})}));
}

TEST(Moves, begun_again_want_every_device_an_index_had) {
  auto group = begin_move(group_of_list(list({1, 2})), list({3, 2}));
  group = begin_move(group, list({4, 2}));
  EXPECT_FALSE(may_end(group, {1, 1}, {list({1}), {}}));
  EXPECT_TRUE(may_end(group, {1, 1}, {list({1, 3}), {}}));
  EXPECT_TRUE(may_end(group, {1, 1}, {list({2}), {}}));
}

/// Against the words of the rule: whatever indexes a commit counted, one of them was listed.
TEST(Moves, end_exactly_when_no_choice_of_counted_indexes_was_missed) {
  const Profile profile{4, 2};
  const auto group = begin_move(group_of_list(list({0, 1, 2, 3, 4, 5})), list({0, 1, 2, 3, 4, 6}));
  for (unsigned listed = 0; listed < 64; ++listed) {
    DeviceList seen;
    for (int i = 0; i < 6; ++i) {
      if ((listed >> i & 1) != 0) seen.push_back(device(i));
    }
    bool missed = false;
    for (unsigned counted = 0; counted < 64; ++counted) {
      const bool of_code = std::popcount(counted) == 5;
      const bool of_copies = std::popcount(counted) == 2 && counted < 8;
      missed = missed || ((of_code || of_copies) && (counted & listed) == 0);
    }
    EXPECT_EQ(may_end(group, profile, {seen, {}}), !missed) << listed;
  }
}

TEST(Moves, doubled_groups_inherit_lists_and_start_above_their_parents) {
  std::vector<GroupRecord> groups{group_of_list(list({1, 2})), group_of_list(list({3, 4}))};
  groups[0].number = GroupNumber(0);
  groups[1].number = GroupNumber(1);
  groups[1] = begin_move(groups[1], list({3, 5}));
  const auto children = doubled(groups);
  ASSERT_EQ(children.size(), 4U);
  for (std::uint32_t i = 0; i < 4; ++i) {
    EXPECT_EQ(children[i].number, GroupNumber(i));
    EXPECT_GT(children[i].epoch, groups[i / 2].epoch);
    EXPECT_EQ(children[i].current, groups[i / 2].current);
    EXPECT_EQ(children[i].previous, groups[i / 2].previous);
  }
}

}  // namespace
}  // namespace kiseki::chunk::detail
