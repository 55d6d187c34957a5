#include <gtest/gtest.h>

#include "shard/testing/shard_world.h"

namespace kiseki::shard::detail {
namespace {

using Type = Assert::Type;

Key row_in(const LeafAddress& leaf, std::uint64_t file) { return key(leaf, Kind::inode, item_of(file)); }

class TwoPhaseTest : public ::testing::Test {
 protected:
  /// Puts one row in each of three shards, asserted absent.
  Transaction spread(std::uint64_t file, const std::string& value = "new") {
    auto transaction = transaction_of_test();
    for (std::size_t shard = 1; shard <= 3; ++shard) {
      const Key row = row_in(world_.leaf_in(shard), file);
      transaction.require(Type::absent, row).put(row, record_of_test(value));
    }
    return transaction;
  }
  Result<Outcome> commit(Session& session, Transaction transaction) {
    return world_.loop().get(session.commit(std::move(transaction)));
  }
  /// Values of a spread, read in one request.
  std::string read(Session& session, std::uint64_t file) {
    ReadRequest request;
    for (std::size_t shard = 1; shard <= 3; ++shard) {
      request.gets.push_back({row_in(world_.leaf_in(shard), file), false});
    }
    const auto reply = world_.loop().get(session.read(std::move(request)));
    if (!reply) return reply.error().to_string();
    std::string values;
    for (const auto& got : reply->gets) values += got.record ? value_of(*got.record) + " " : "- ";
    return values;
  }
  ShardWorld world_{4};
};

TEST_F(TwoPhaseTest, commits_on_all_shards_under_one_stamp) {
  auto& session = *world_.connect(1).session;
  const auto outcome = commit(session, spread(1));
  ASSERT_TRUE(outcome && outcome->committed());
  EXPECT_EQ(read(session, 1), "new new new ");
  ReadRequest request;
  request.gets.push_back({row_in(world_.leaf_in(3), 1), false});
  EXPECT_EQ(world_.loop().get(session.read(request))->gets.front().record->version, outcome->stamp);
  world_.loop().run();
  EXPECT_TRUE(world_.is_clean());
}

TEST_F(TwoPhaseTest, a_failed_assert_anywhere_leaves_nothing_and_says_which) {
  auto& session = *world_.connect(1).session;
  auto transaction = spread(1);
  transaction.require(Type::exists, row_in(world_.leaf_in(3), 99));
  const auto outcome = commit(session, std::move(transaction));
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->refusal, Refusal::missing);
  EXPECT_EQ(outcome->assertion, 3U);
  EXPECT_EQ(read(session, 1), "- - - ");
  world_.loop().run();
  EXPECT_TRUE(world_.is_clean());
}

TEST_F(TwoPhaseTest, moves_records_between_shards) {
  auto& session = *world_.connect(1).session;
  const LeafAddress from = world_.leaf_in(1);
  LeafAddress to = from;
  for (std::uint32_t leaf = 1; world_.routes().of(to).id == ShardId(1); ++leaf) to.leaf = LeafId(leaf);
  const Key source = key(from, Kind::entry, std::string(16, 'e'));
  const Key target = key(to, Kind::entry, std::string(16, 'e'));
  auto create = transaction_of_test().require(Type::absent, source).put(source, record_of_test("sealed"));
  const auto created = commit(session, std::move(create));
  auto move = transaction_of_test().require(Type::version, source, created->stamp);
  move.require(Type::absent, target).move(source, target);
  ASSERT_TRUE(commit(session, std::move(move))->committed());
  ReadRequest request;
  request.gets = {{source, false}, {target, false}};
  const auto reply = world_.loop().get(session.read(request));
  EXPECT_FALSE(reply->gets[0].record);
  ASSERT_TRUE(reply->gets[1].record);
  EXPECT_EQ(reply->gets[1].record->version, created->stamp);
  EXPECT_EQ(value_of(*reply->gets[1].record), "sealed");
  const auto counters = world_.loop().get(session.counters({from, to}));
  EXPECT_EQ((*counters)[0].entries, 0U);
  EXPECT_EQ((*counters)[1].entries, 1U);
}

/// Without readers, writers or a sweeper, who would do it too.
TEST_F(TwoPhaseTest, a_move_is_resolved_on_both_sides) {
  auto& session = *world_.connect(1).session;
  const Key source = key(world_.leaf_in(1), Kind::entry, std::string(16, 'e'));
  LeafAddress there = world_.leaf_in(1);
  while (world_.routes().of(there).id == ShardId(1)) there.leaf = LeafId(there.leaf.value() + 1);
  const Key target = key(there, Kind::entry, std::string(16, 'e'));
  auto create = transaction_of_test().require(Type::absent, source).put(source, record_of_test("sealed"));
  const auto created = commit(session, std::move(create));
  ASSERT_TRUE(created && created->committed());
  auto move = transaction_of_test().require(Type::version, source, created->stamp);
  move.require(Type::absent, target).move(source, target);
  ASSERT_TRUE(commit(session, std::move(move))->committed());
  world_.loop().run();
  EXPECT_TRUE(world_.is_clean());
}

TEST_F(TwoPhaseTest, a_prepare_whose_answer_is_lost_is_resolved) {
  auto& session = *world_.connect(1).session;
  for (std::uint64_t file = 1; file <= 6; ++file) {
    world_.weather().delay_next = std::chrono::milliseconds(1);
    auto transaction = spread(file);
    if (file % 2 == 0) transaction.require(Type::exists, row_in(world_.leaf_in(3), 99));
    (void)commit(session, std::move(transaction));
    world_.loop().run();
    EXPECT_TRUE(world_.is_clean()) << file;
  }
}

/// The coordinator dies with its n-th message; readers and writers go on at once, and the outcome they see is
/// all or nothing, for good, and what the coordinator was told if it was told.
class CoordinatorDies : public TwoPhaseTest, public ::testing::WithParamInterface<std::tuple<int, bool>> {};

TEST_P(CoordinatorDies, all_or_nothing_whatever_step_it_reached) {
  auto& dying = world_.connect(1);
  auto& reader = *world_.connect(2).session;
  dying.life.messages = std::get<0>(GetParam());
  dying.life.last_arrives = std::get<1>(GetParam());
  const auto told = commit(*dying.session, spread(1));
  const std::string seen = read(reader, 1);
  EXPECT_TRUE(seen == "- - - " || seen == "new new new ") << seen;
  if (told) {
    EXPECT_TRUE(told->committed());
    EXPECT_EQ(seen, "new new new ");
  }
  // A writer gets through without anybody's help.
  const auto outcome = commit(reader, spread(1, "other"));
  ASSERT_TRUE(outcome) << outcome.error().to_string();
  const bool was_committed = seen == "new new new ";
  EXPECT_EQ(outcome->refusal, was_committed ? Refusal::exists : Refusal::none);
  EXPECT_EQ(read(reader, 1), was_committed ? "new new new " : "other other other ");
}

TEST_P(CoordinatorDies, the_sweeper_ends_what_a_fenced_session_left) {
  auto& dying = world_.connect(1);
  dying.life.messages = std::get<0>(GetParam());
  dying.life.last_arrives = std::get<1>(GetParam());
  const auto told = commit(*dying.session, spread(1));
  auto& next = *world_.connect(1).session;
  world_.sweep();
  world_.sweep();
  EXPECT_TRUE(world_.is_clean());
  const std::string seen = read(next, 1);
  EXPECT_TRUE(seen == "- - - " || seen == "new new new ") << seen;
  if (told) {
    EXPECT_EQ(seen, "new new new ");
  }
}

TEST_P(CoordinatorDies, a_crash_of_the_node_at_the_same_moment) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    auto& dying = world_.connect(1);
    dying.life.messages = std::get<0>(GetParam());
    dying.life.last_arrives = std::get<1>(GetParam());
    const auto told = commit(*dying.session, spread(seed));
    world_.crash(seed);
    auto& next = *world_.connect(1).session;
    const std::string seen = read(next, seed);
    EXPECT_TRUE(seen == "- - - " || seen == "new new new ") << seen;
    if (told) {
      EXPECT_EQ(seen, "new new new ");
    }
    world_.sweep();
    world_.sweep();
    EXPECT_TRUE(world_.is_clean());
    EXPECT_EQ(read(next, seed), seen);
  }
}

TEST_P(CoordinatorDies, counters_are_those_of_all_leaves_or_of_none) {
  auto& dying = world_.connect(1);
  auto& reader = *world_.connect(2).session;
  std::vector<LeafAddress> leaves;
  auto made = transaction_of_test();
  for (std::size_t shard = 1; shard <= 3; ++shard) {
    leaves.push_back(world_.leaf_in(shard));
    const Key entry = key(leaves.back(), Kind::entry, std::string(16, 'e'));
    made.require(Type::absent, entry).put(entry, record_of_test("new"));
  }
  dying.life.messages = std::get<0>(GetParam());
  dying.life.last_arrives = std::get<1>(GetParam());
  const auto told = commit(*dying.session, std::move(made));
  const auto counters = world_.loop().get(reader.counters(leaves));
  ASSERT_TRUE(counters);
  std::uint64_t entries = 0;
  for (const Counters& one : *counters) entries += one.entries;
  EXPECT_TRUE(entries == 3 || (entries == 0 && !told)) << entries;
}

INSTANTIATE_TEST_SUITE_P(Steps, CoordinatorDies,
                         ::testing::Combine(::testing::Range(1, 8), ::testing::Bool()));

TEST_F(TwoPhaseTest, a_page_that_ends_by_its_bytes_is_not_the_last) {
  constexpr std::uint64_t rows = 150;
  auto& session = *world_.connect(1).session;
  const LeafAddress leaf = world_.leaf_in(1);
  for (std::uint64_t file = 1; file <= rows; ++file) {
    auto transaction = transaction_of_test();
    transaction.require(Type::absent, row_in(leaf, file))
        .put(row_in(leaf, file), record_of_test(std::string(60'000, 'x')));
    ASSERT_TRUE(commit(session, std::move(transaction))->committed());
  }
  std::size_t seen = 0, pages = 0;
  Scan scan{leaf, Kind::inode, {}, 1000};
  for (bool more = true; more; ++pages) {
    ReadRequest request;
    request.scans = {scan};
    const auto reply = world_.loop().get(session.read(std::move(request)));
    ASSERT_TRUE(reply && !reply->scans.front().rows.empty());
    seen += reply->scans.front().rows.size();
    more = reply->scans.front().more;
    scan.from = reply->scans.front().rows.back().key.item + '\0';
  }
  EXPECT_EQ(seen, rows);
  EXPECT_GT(pages, 1U);
}

TEST_F(TwoPhaseTest, a_pending_change_is_read_as_the_old_value) {
  auto& dying = world_.connect(1);
  auto& reader = *world_.connect(2).session;
  ASSERT_TRUE(commit(reader, spread(1, "old"))->committed());
  world_.loop().run();
  auto change = transaction_of_test();
  for (std::size_t shard = 1; shard <= 3; ++shard) {
    const Key row = row_in(world_.leaf_in(shard), 1);
    change.require(Type::exists, row).put(row, record_of_test("new"));
  }
  dying.life.messages = 4;  // Three prepares, and a decision that never arrives.
  EXPECT_FALSE(commit(*dying.session, std::move(change)));
  const BootTime before = world_.clock().now();
  EXPECT_EQ(read(reader, 1), "old old old ");
  EXPECT_LT(world_.clock().now() - before, std::chrono::milliseconds(100));
}

/// By the time it is known to stay there, whatever wall clocks say.
TEST_F(TwoPhaseTest, the_sweeper_ends_what_stays_prepared) {
  auto& dying = world_.connect(1);
  dying.life.messages = 4;  // Three prepares, and a decision that never arrives.
  EXPECT_FALSE(commit(*dying.session, spread(1)));
  world_.clock().set_wall_offset(std::chrono::hours(1));
  world_.sweep();
  EXPECT_FALSE(world_.is_clean());
  world_.loop().run_for(Sweeper::patience + std::chrono::seconds(1));
  world_.sweep();
  EXPECT_TRUE(world_.is_clean());
  EXPECT_EQ(read(*world_.connect(2).session, 1), "- - - ");
}

/// Two transactions that take the same rows in opposite orders both end, and at least one commits.
TEST_F(TwoPhaseTest, opposite_orders_do_not_deadlock) {
  auto& first = *world_.connect(1).session;
  auto& second = *world_.connect(2).session;
  ASSERT_TRUE(commit(first, spread(1, "old"))->committed());
  world_.loop().run();
  for (int round = 0; round < 20; ++round) {
    std::vector<Result<Outcome>> outcomes;
    for (const bool reversed : {false, true}) {
      auto transaction = transaction_of_test();
      for (std::size_t i = 1; i <= 3; ++i) {
        const Key row = row_in(world_.leaf_in(reversed ? 4 - i : i), 1);
        transaction.require(Type::exists, row).put(row, record_of_test(reversed ? "two" : "one"));
      }
      auto& session = reversed ? second : first;
      asio::co_spawn(world_.loop().executor(), session.commit(std::move(transaction)),
                     [&outcomes](const std::exception_ptr&, Result<Outcome> outcome) {
                       outcomes.push_back(std::move(outcome));
                     });
    }
    ASSERT_TRUE(
        world_.loop().run_until([&outcomes] { return outcomes.size() == 2; }, std::chrono::minutes(1)));
    for (const auto& outcome : outcomes) {
      ASSERT_TRUE(outcome);
      EXPECT_TRUE(outcome->committed());
    }
    const std::string seen = read(first, 1);
    EXPECT_TRUE(seen == "one one one " || seen == "two two two ") << seen;
  }
  world_.loop().run();
  EXPECT_TRUE(world_.is_clean());
}

TEST_F(TwoPhaseTest, a_new_configuration_waits_for_what_was_prepared_under_the_old) {
  auto& dying = world_.connect(1);
  auto& other = *world_.connect(2).session;
  dying.life.messages = 4;
  EXPECT_FALSE(commit(*dying.session, spread(1)));
  EXPECT_TRUE(world_.loop().get(other.configure(test_namespace, 2, NamespaceState::active)));
  EXPECT_TRUE(world_.is_clean());
  EXPECT_EQ(commit(other, spread(1))->refusal, Refusal::configuration);
}

TEST_F(TwoPhaseTest, who_reads_learns_that_a_configuration_rose) {
  auto& session = *world_.connect(1).session;
  auto& other = *world_.connect(2).session;
  const auto told = [this](Session& by) {
    ReadRequest request;
    for (std::size_t shard = 1; shard <= 3; ++shard)
      request.gets.push_back({row_in(world_.leaf_in(shard), 1)});
    return world_.loop().get(by.read(std::move(request)))->configuration;
  };
  EXPECT_EQ(told(other), 0U) << "it was never raised";
  ASSERT_TRUE(world_.loop().get(session.configure(test_namespace, 2, NamespaceState::active)));
  EXPECT_EQ(told(other), 2U);
  ASSERT_TRUE(world_.loop().get(session.configure(test_namespace, 3, NamespaceState::deleting)));
  EXPECT_EQ(told(other), 2U) << "the deletion may fail yet";
  ASSERT_TRUE(world_.loop().get(session.configure(test_namespace, 4, NamespaceState::active)));
  world_.crash(1);
  EXPECT_EQ(told(*world_.connect(1).session), 4U) << "it is read again at a start";
  EXPECT_EQ(told(*world_.connect(2).session), 4U);
}

TEST_F(TwoPhaseTest, scans_scanned_rows_oldest_first_and_whole_stamps) {
  auto& session = *world_.connect(1).session;
  for (std::uint64_t i = 0; i < 6; ++i) {
    auto transaction = transaction_of_test();
    for (std::uint64_t nth = 0; nth < 3; ++nth) {
      transaction.put_stamped(key(world_.leaf_in(1, nth), Kind::garbage, item_of(i)), {});
    }
    ASSERT_TRUE(commit(session, std::move(transaction))->committed());
  }
  Stamp after;
  std::size_t seen = 0;
  for (int page = 0; page < 10; ++page) {
    const auto rows = world_.loop().get(session.scan(ShardId(1), Kind::garbage, after, 4));
    ASSERT_TRUE(rows);
    if (rows->empty()) break;
    EXPECT_EQ(rows->size() % 3, 0U);
    for (const auto& row : *rows) {
      EXPECT_GE(row.key.stamp, after);
      after = row.key.stamp;
    }
    seen += rows->size();
  }
  EXPECT_EQ(seen, 18U);
}

}  // namespace
}  // namespace kiseki::shard::detail
