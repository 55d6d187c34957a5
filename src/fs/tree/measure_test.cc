#include "fs/tree/measure.h"

#include <gtest/gtest.h>

#include "base/planted.h"
#include "fs/objects/renames.h"
#include "fs/objects/tree_directories.h"
#include "fs/testing/memory_world.h"

namespace kiseki::fs {
namespace {

using detail::LeafTally;

constexpr Duration leaf_age = std::chrono::milliseconds(10);
constexpr TreeLimits tiny_leaves{
    .entries_split = 4, .index_page_max = 200, .cached_max = 64, .leaves_exact = 2, .leaf_age = leaf_age};

class Measure : public testing::Test {
 protected:
  Measure() : other_(world_, tiny_leaves) {
    auto client = std::make_unique<Interrupted>(world_.shards.connect());
    client_ = client.get();
    gateway_ = std::make_unique<Gateway>(world_, std::move(client), tiny_leaves);
    ns_ = other_.make_namespace("bucket");
  }

  static Task<> put(Gateway& on, NamespaceId ns, std::string key) {
    PatternSource source(1, 100);
    EXPECT_TRUE(co_await on.objects.put(ns, std::move(key), source, {}));
  }
  static Task<> remove(Gateway& on, NamespaceId ns, std::string key) {
    EXPECT_TRUE(co_await on.objects.remove(ns, std::move(key), {}));
  }
  /// Splits leaves or empties some, which then go.
  static Task<> shake(Gateway& on, NamespaceId ns, int turn) {
    for (int i = 0; i < 8; ++i) {
      std::string key = "d/10" + std::to_string(i % 3) + std::to_string(i);
      co_await (turn % 2 == 0 ? put(on, ns, std::move(key)) : remove(on, ns, std::move(key)));
    }
    co_await on.world.clock.sleep(std::chrono::milliseconds(20));
    (void)co_await on.sweep();
  }
  void fill(int count) {
    for (int i = 0; i < count; ++i) {
      other_.get(put(other_, ns_, "d/" + std::to_string(100 + i)));
      world_.loop.run_for(std::chrono::milliseconds(1));
    }
  }
  DirectoryAttributes stat(Gateway& on) { return *on.get(detail::TreeDirectories(on.tree).stat(ns_, "d")); }
  std::uint64_t entries() { return stat(*gateway_).entries; }
  std::uint64_t now_ms() { return client_->time_ms(); }

  MemoryWorld world_{3, {.shards = 3, .entries_max = 9}};
  Gateway other_;
  Interrupted* client_ = nullptr;
  std::unique_ptr<Gateway> gateway_;
  NamespaceId ns_;
};

TEST_F(Measure, own_changes_are_in_the_sum_at_once) {
  fill(40);
  EXPECT_EQ(entries(), 40U);
  gateway_->get(remove(*gateway_, ns_, "d/110"));
  EXPECT_EQ(entries(), 39U);
  gateway_->get(put(*gateway_, ns_, "d/next"));
  EXPECT_EQ(entries(), 40U);
  ASSERT_TRUE(gateway_->get(detail::rename(gateway_->tree, ns_, "d/120", "elsewhere")));
  EXPECT_EQ(entries(), 39U);
  ASSERT_TRUE(gateway_->get(detail::rename(gateway_->tree, ns_, "elsewhere", "d/elsewhere")));
  EXPECT_EQ(entries(), 40U);
  gateway_->get(put(*gateway_, ns_, "d/deep/er"));
  EXPECT_EQ(stat(*gateway_).subdirectories, 1U);
  ASSERT_TRUE(gateway_->get(detail::TreeDirectories(gateway_->tree).make(ns_, "d/made")));
  EXPECT_EQ(stat(*gateway_).subdirectories, 2U);
  EXPECT_EQ(stat(*gateway_).logical, 4000U);
}

TEST_F(Measure, changes_of_others_are_seen_when_what_is_remembered_is_old) {
  fill(40);
  EXPECT_EQ(entries(), 40U);
  fill(60);
  world_.loop.run_for(leaf_age * 40);
  EXPECT_EQ(entries(), 60U);
  for (int i = 0; i < 60; ++i) other_.get(remove(other_, ns_, "d/" + std::to_string(100 + i)));
  other_.get(put(other_, ns_, "d/last"));
  ASSERT_TRUE(other_.get(other_.sweep()));
  world_.loop.run_for(leaf_age * 40);
  EXPECT_EQ(entries(), 1U);
}

TEST_F(Measure, what_is_remembered_costs_no_reads) {
  fill(40);
  EXPECT_EQ(entries(), 40U);
  const auto reads_of_a_stat = [this] {
    const auto before = client_->calls();
    (void)entries();
    return client_->calls() - before;
  };
  const auto cheap = reads_of_a_stat();
  gateway_->get(put(*gateway_, ns_, "d/next"));
  EXPECT_LE(reads_of_a_stat(), cheap + 2);
  world_.loop.run_for(leaf_age * 40);
  EXPECT_GT(reads_of_a_stat(), cheap);
}

/// Whatever happens to the leaves between two reads, what was there all the time is counted once.
TEST_F(Measure, leaves_may_split_and_go_before_every_read) {
  fill(12);
  for (int at = 0; at < 40; ++at) {
    world_.loop.run_for(leaf_age * 40);
    const auto before = stat(other_).entries;
    client_->before(static_cast<std::uint64_t>(at),
                    [this, at]() -> Task<> { return shake(other_, ns_, at); });
    const auto found = entries();
    client_->before(~0ULL, nullptr);
    world_.loop.run_for(leaf_age * 40);
    const auto after = stat(other_).entries;
    EXPECT_TRUE(found >= std::min(before, after) && found <= std::max(before, after))
        << found << " of " << before << " or " << after << ", step " << at;
    EXPECT_EQ(entries(), after);
  }
}

class MeasureTimes : public Measure, public testing::WithParamInterface<bool> {};

TEST_P(MeasureTimes, stay_when_their_leaf_goes) {
  std::optional<planted::Fault> fault;
  if (GetParam()) fault.emplace("2.10 a dropped leaf takes its latest time along");
  fill(12);
  world_.loop.run_for(std::chrono::seconds(5));
  for (int i = 6; i < 12; ++i) other_.get(remove(other_, ns_, "d/" + std::to_string(100 + i)));
  const auto then = now_ms();
  world_.loop.run_for(std::chrono::seconds(5));
  EXPECT_EQ(stat(other_).modified_ms, then);
  ASSERT_TRUE(other_.get(other_.sweep()));
  EXPECT_EQ(stat(*gateway_).modified_ms == then, !GetParam());
  if (fault) EXPECT_GT(fault->met(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Planted, MeasureTimes, testing::Bool());

/// Whoever began a split dies between its commits; others end it later.
TEST_F(Measure, a_split_leaves_the_time_of_the_latest_change) {
  for (std::uint64_t commits = 1;; ++commits) {
    const auto fate = std::make_shared<MemoryShards::Fate>();
    fate->commits_left = commits;
    const std::string path = "t" + std::to_string(commits);
    {
      Gateway dying(world_, tiny_leaves, fate);
      for (int i = 0; i < 8; ++i) {
        PatternSource source(1, 100);
        (void)dying.get(dying.objects.put(ns_, path + "/" + std::to_string(i), source, {}));
      }
      world_.loop.run_for(std::chrono::seconds(1));
      world_.shards.fence(dying.client->session());
    }
    const auto before = other_.get(detail::TreeDirectories(other_.tree).stat(ns_, path));
    world_.loop.run_for(std::chrono::seconds(5));
    ASSERT_TRUE(other_.get(detail::list_objects(other_.tree, ns_, {})));
    world_.loop.run_for(std::chrono::seconds(1));
    const auto after = gateway_->get(detail::TreeDirectories(gateway_->tree).stat(ns_, path));
    ASSERT_EQ(before.has_value(), after.has_value());
    if (before) EXPECT_EQ(before->modified_ms, after->modified_ms) << commits;
    if (!fate->dead) break;
    ASSERT_LT(commits, 60U);
  }
}

LeafTally::Stretch stretch(LeafTally& tally, std::string low, std::optional<std::string> high) {
  LeafTally::Stretch made{.low = std::move(low), .high = std::move(high), .counters = {}, .read_at = {}};
  made.counters.entries = 1;
  made.asked = tally.ask();
  return made;
}

TEST(Tally, counts_what_a_leaf_took_over_once) {
  for (const bool planted : {false, true}) {
    std::optional<planted::Fault> fault;
    if (planted) fault.emplace("2.10 what a leaf took over counts twice");
    LeafTally tally;
    tally.put(stretch(tally, "", "g"));
    tally.put(stretch(tally, "g", std::nullopt));
    EXPECT_EQ(tally.sum().entries, 2U);
    tally.put(stretch(tally, "", std::nullopt));
    EXPECT_EQ(tally.sum().entries, planted ? 2U : 1U);
  }
}

TEST(Tally, keeps_what_was_asked_for_later) {
  LeafTally tally;
  auto early = stretch(tally, "", std::nullopt);
  tally.put(stretch(tally, "", "g"));
  tally.put(std::move(early));
  EXPECT_EQ(tally.sum().entries, 1U);
  EXPECT_EQ(tally.missing({.oldest = {}, .asked = 0})->low, "g");
}

TEST(Tally, a_change_to_one_of_two_counts_for_both_when_they_become_one) {
  LeafTally tally;
  const auto name = [](std::size_t i) { return i == 0 ? "" : std::to_string(100'000 + i); };
  for (std::size_t i = 0; i < LeafTally::stretches_max; ++i) tally.put(stretch(tally, name(i), name(i + 1)));
  tally.note_change(name(1));
  tally.note_change(name(4));
  tally.put(stretch(tally, name(LeafTally::stretches_max), std::nullopt));  // one too many
  const LeafTally::Need need{.oldest = BootTime{} - Duration(1), .asked = tally.ask()};
  const auto right_changed = tally.missing(need);
  ASSERT_TRUE(right_changed && right_changed->until);
  EXPECT_EQ(right_changed->low, name(0));
  EXPECT_EQ(*right_changed->until, name(2));
  tally.put(stretch(tally, name(0), name(2)));
  const auto left_changed = tally.missing(need);
  ASSERT_TRUE(left_changed && left_changed->until);
  EXPECT_EQ(left_changed->low, name(4));
  EXPECT_EQ(*left_changed->until, name(6));
}

TEST(Tally, many_leaves_are_remembered_together) {
  LeafTally tally;
  constexpr std::size_t leaves = 3 * LeafTally::stretches_max;
  const auto name = [](std::size_t i) { return i == 0 ? "" : std::to_string(100'000 + i); };
  for (std::size_t i = 0; i < leaves; ++i) {
    const bool is_last = i + 1 == leaves;
    tally.put(stretch(tally, name(i), is_last ? std::nullopt : std::optional(name(i + 1))));
  }
  EXPECT_EQ(tally.leaves(), leaves);
  EXPECT_EQ(tally.sum().entries, leaves);
  EXPECT_FALSE(tally.missing({.oldest = {}, .asked = 1}));
  tally.note_change(name(7));
  const auto gap = tally.missing({.oldest = BootTime{} - Duration(1), .asked = tally.ask()});
  ASSERT_TRUE(gap);
  EXPECT_LE(gap->low, name(7));
  EXPECT_GT(*gap->until, name(7));
}

}  // namespace
}  // namespace kiseki::fs
