#include <gtest/gtest.h>

#include "base/planted.h"
#include "shard/rows/reference_rows.h"
#include "shard/testing/shard_world.h"

// Shards that split and shards that are built from snapshots, step by step.

namespace kiseki::shard::detail {
namespace {

using Type = Assert::Type;

/// Two leaves of the first data shard; a split of it puts the second one in the child.
class SplitTest : public ::testing::Test {
 protected:
  SplitTest() {
    // Of one container, so that entries may move between them.
    for (std::uint32_t number = 0; !low_ || !high_; ++number) {
      const LeafAddress leaf{test_namespace, InodeId(1), LeafId(number)};
      if (world_.routes().of(leaf).id != ShardId(1)) continue;
      if (slot_of(leaf) < edge) low_ = leaf;
      if (slot_of(leaf) > edge) high_ = leaf;
    }
  }
  static constexpr Slot edge = 8000;

  Key low(std::uint64_t number) const { return key(*low_, Kind::inode, item_of(number)); }
  Key high(std::uint64_t number) const { return key(*high_, Kind::inode, item_of(number)); }
  static Transaction create(const std::vector<Key>& rows) {
    auto transaction = transaction_of_test();
    for (const auto& row : rows) transaction.require(Type::absent, row).put(row, record_of_test("new"));
    return transaction;
  }
  Result<Outcome> commit(Session& session, Transaction transaction) {
    return world_.loop().get(session.commit(std::move(transaction)));
  }
  bool exists(Session& session, const Key& row) {
    ReadRequest request;
    request.gets.push_back({row, false});
    const auto reply = world_.loop().get(session.read(request));
    EXPECT_TRUE(reply) << reply.error().to_string();
    return reply && reply->gets.front().record.has_value();
  }
  Answer propose(std::uint32_t shard, decltype(Proposal::body) body) {
    Proposal proposal{.stamp = {}, .body = std::move(body)};
    return world_.loop()
        .get(world_.shard(shard).ask(ProposeRequest{std::move(proposal), Attempt::again}))
        .value();
  }
  void split() {
    EXPECT_EQ(world_.split(ShardId(1), edge).type, Answer::Type::decided);
    world_.loop().run();
    ASSERT_EQ(world_.shard_count(), 6U);
  }
  Commit commit_of(SessionId session, std::uint64_t sequence, const std::vector<Key>& rows) {
    return {.id = {session, sequence}, .low_water = 0, .transaction = create(rows)};
  }
  Prepare prepare_of(TransactionId id, const Key& primary, const std::vector<Key>& rows) {
    return {.id = id, .low_water = 0, .age = {}, .primary = primary, .branch = create(rows)};
  }

  ShardWorld world_{4};
  std::optional<LeafAddress> low_, high_;
  const SessionId session_{77};
};

TEST_F(SplitTest, rows_stay_readable_and_writable_on_both_sides) {
  auto& session = *world_.connect(1).session;
  ASSERT_TRUE(commit(session, create({low(1), high(1)}))->committed());
  const Stamp last = world_.shard(1).machine().last();
  split();
  EXPECT_EQ(world_.shard(1).machine().range().last, edge - 1);
  EXPECT_EQ(world_.shard(5).machine().range().first, edge);
  EXPECT_GE(world_.shard(5).machine().last(), last);
  EXPECT_TRUE(exists(session, low(1)));
  EXPECT_TRUE(exists(session, high(1)));
  const auto outcome = commit(session, create({low(2), high(2)}));
  ASSERT_TRUE(outcome && outcome->committed());
  EXPECT_TRUE(exists(session, high(2)));
  world_.loop().run();
  EXPECT_TRUE(world_.is_clean());
}

TEST_F(SplitTest, survives_a_crash_at_any_write) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    ShardWorld world(4);
    auto& session = *world.connect(1).session;
    const auto made = world.loop().get(session.commit(create({low(1), high(1)})));
    ASSERT_TRUE(made && made->committed());
    world.split(ShardId(1), edge);
    if (seed % 2 == 0) world.loop().run();
    const auto more = world.loop().get(session.commit(create({high(2)})));
    ASSERT_TRUE(more && more->committed());
    world.crash(seed);
    ASSERT_EQ(world.shard_count(), 6U) << seed;
    ReadRequest request;
    request.gets = {{low(1), false}, {high(1), false}, {high(2), false}};
    const auto reply = world.loop().get(world.connect(1).session->read(request));
    ASSERT_TRUE(reply) << seed;
    for (const auto& got : reply->gets) EXPECT_TRUE(got.record) << seed;
  }
}

TEST_F(SplitTest, a_retry_gets_its_answer_from_parent_and_child) {
  const auto first = propose(1, commit_of(session_, 1, {low(1), high(1)}));
  ASSERT_TRUE(first.outcome.committed());
  const auto refused = propose(1, commit_of(session_, 2, {high(1)}));
  EXPECT_EQ(refused.outcome.refusal, Refusal::exists);
  split();
  for (const std::uint32_t shard : {1U, 5U}) {
    const auto again = propose(shard, commit_of(session_, 1, {low(1), high(1)}));
    EXPECT_EQ(again.type, Answer::Type::decided);
    EXPECT_EQ(again.outcome.stamp, first.outcome.stamp);
    EXPECT_EQ(propose(shard, commit_of(session_, 2, {high(1)})).outcome.refusal, Refusal::exists);
  }
  EXPECT_EQ(propose(1, commit_of(session_, 3, {low(9), high(9)})).type, Answer::Type::wrong_shard);
  EXPECT_EQ(propose(5, commit_of(session_, 3, {low(9), high(9)})).type, Answer::Type::wrong_shard);
}

TEST_F(SplitTest, fences_and_configurations_hold_in_the_child) {
  propose(1, Fence{session_});
  propose(1, Configure{.ns = test_namespace, .epoch = 4, .state = NamespaceState::active});
  propose(1, RaiseEpoch{GcEpoch(9)});
  split();
  EXPECT_EQ(propose(5, commit_of(session_, 1, {high(1)})).type, Answer::Type::fenced);
  EXPECT_EQ(propose(5, commit_of(SessionId(78), 1, {high(1)})).outcome.refusal, Refusal::configuration);
  auto late = commit_of(SessionId(78), 2, {high(1)});
  late.transaction.namespaces.front().epoch = 4;
  late.transaction.chunk_epoch = GcEpoch(8);
  EXPECT_EQ(propose(5, late).outcome.refusal, Refusal::chunk_epoch);
}

TEST_F(SplitTest, what_is_prepared_stands_on_both_sides_and_is_decided_at_the_primary) {
  const TransactionId id{session_, 1};
  EXPECT_EQ(propose(1, prepare_of(id, high(1), {low(1), high(1)})).type, Answer::Type::prepared);
  split();
  EXPECT_NE(world_.shard(1).machine().locks().find(id), nullptr);
  EXPECT_NE(world_.shard(5).machine().locks().find(id), nullptr);
  // Whoever asks the parent is not told anything; only the primary's shard knows.
  const Holder holder{.id = id, .age = {}, .primary = high(1)};
  EXPECT_EQ(world_.loop().get(world_.shard(1).ask(StatusRequest{holder})).error().code(), Errc::stale);
  EXPECT_EQ(world_.loop().get(world_.shard(5).ask(StatusRequest{holder}))->type,
            TransactionStatus::Type::pending);
  const Decide decide{
      .id = id, .low_water = 0, .primary = high(1), .verdict = Verdict::committed, .floor = Stamp(1)};
  EXPECT_EQ(propose(1, decide).type, Answer::Type::wrong_shard);
  EXPECT_TRUE(propose(5, decide).outcome.committed());
  // A reader that meets the other half carries the decision out.
  auto& session = *world_.connect(1).session;
  EXPECT_TRUE(exists(session, low(1)));
  EXPECT_TRUE(exists(session, high(1)));
  world_.loop().run();
  EXPECT_TRUE(world_.is_clean());
}

TEST_F(SplitTest, a_prepared_move_over_the_edge_becomes_two_halves) {
  const Key source = key(*low_, Kind::entry, std::string(16, 'e'));
  const Key target = key(*high_, Kind::entry, std::string(16, 'e'));
  const auto made = propose(1, commit_of(session_, 1, {source}));
  const TransactionId id{session_, 2};
  Prepare prepare{.id = id, .low_water = 0, .age = {}, .primary = source, .branch = transaction_of_test()};
  prepare.branch.require(Type::version, source, made.outcome.stamp).require(Type::absent, target);
  prepare.branch.move(source, target);
  EXPECT_EQ(propose(1, prepare).type, Answer::Type::prepared);
  split();
  const Decide decide{
      .id = id, .low_water = 0, .primary = source, .verdict = Verdict::committed, .floor = Stamp(1)};
  EXPECT_TRUE(propose(1, decide).outcome.committed());
  auto& session = *world_.connect(1).session;
  EXPECT_FALSE(exists(session, source));
  EXPECT_TRUE(exists(session, target));
  world_.loop().run();
  const auto counters = world_.loop().get(session.counters({*low_, *high_}));
  ASSERT_TRUE(counters);
  EXPECT_EQ((*counters)[0].entries, 0U);
  EXPECT_EQ((*counters)[1].entries, 1U);
}

TEST_F(SplitTest, a_decision_goes_with_the_results_of_the_half_that_owns_it_alone) {
  const TransactionId id{session_, 1};
  EXPECT_EQ(propose(1, prepare_of(id, low(1), {low(1), high(1)})).type, Answer::Type::prepared);
  const Decide decide{
      .id = id, .low_water = 0, .primary = low(1), .verdict = Verdict::committed, .floor = Stamp(1)};
  EXPECT_TRUE(propose(1, decide).outcome.committed());
  split();
  auto later = commit_of(session_, 2, {high(2)});
  later.low_water = 2;
  EXPECT_TRUE(propose(5, later).outcome.committed());
  const Holder holder{.id = id, .age = {}, .primary = low(1)};
  EXPECT_EQ(world_.loop().get(world_.shard(1).ask(StatusRequest{holder}))->type,
            TransactionStatus::Type::committed);
}

TEST_F(SplitTest, each_half_counts_the_references_of_its_own_rows) {
  Record record = record_of_test("new");
  ChunkReference& reference = record.references.emplace_back();
  reference.id.fill(std::byte{7});
  reference.format.block_units = 1;
  reference.length = 10;
  auto made = transaction_of_test();
  made.require(Type::absent, high(1)).put(high(1), record);
  ASSERT_TRUE(commit(*world_.connect(1).session, std::move(made))->committed());
  split();
  const auto counts = [&](std::size_t shard) {
    return *ReferenceRows(world_.store(), world_.shard(shard).machine().range())
                .counts(name_of(test_namespace, reference), GcEpoch(1));
  };
  EXPECT_FALSE(counts(1));
  EXPECT_TRUE(counts(5));
}

TEST_F(SplitTest, pending_rows_go_with_their_slots) {
  auto& user = *world_.connect(1).session;
  const auto pending_in = [&user](const LeafAddress& leaf) {
    return key(leaf, Kind::pending, item_of(user.id().value()));
  };
  auto made = transaction_of_test();
  for (const auto& leaf : {*low_, *high_}) {
    made.require(Type::absent, pending_in(leaf)).put(pending_in(leaf), {});
  }
  ASSERT_TRUE(commit(user, std::move(made))->committed());
  split();
  const PendingRequest request{GoneSessions{.last = user.id(), .living = {}}, 10};
  for (const auto& [shard, leaf] : {std::pair(1U, *low_), std::pair(5U, *high_)}) {
    const auto abandoned = world_.loop().get(world_.shard(shard).ask(request));
    ASSERT_TRUE(abandoned);
    ASSERT_EQ(abandoned->size(), 1U) << shard;
    EXPECT_EQ(abandoned->front().key, pending_in(leaf));
  }
}

TEST_F(SplitTest, a_coordinator_is_not_disturbed_between_prepare_and_decision) {
  for (int messages = 1; messages < 12; ++messages) {
    SCOPED_TRACE(messages);
    ShardWorld world(4);
    auto& user = world.connect(1);
    std::optional<Result<Outcome>> told;
    const auto other = key(world.leaf_in(3), Kind::inode, item_of(1));
    user.life.messages = 1000;
    asio::co_spawn(
        world.loop().executor(), user.session->commit(create({low(1), high(1), other})),
        [&told](const std::exception_ptr&, Result<Outcome> outcome) { told = std::move(outcome); });
    world.loop().run_until([&] { return user.life.messages <= 1000 - messages || told.has_value(); });
    world.split(ShardId(1), edge);
    world.loop().run_until([&told] { return told.has_value(); });
    ASSERT_TRUE(*told) << told->error().to_string();
    EXPECT_TRUE((*told)->committed());
    world.loop().run();
    EXPECT_TRUE(world.is_clean());
    ReadRequest request;
    request.gets = {{low(1), false}, {high(1), false}, {other, false}};
    const auto reply = world.loop().get(world.connect(2).session->read(request));
    ASSERT_TRUE(reply);
    for (const auto& got : reply->gets) EXPECT_TRUE(got.record);
  }
}

TEST_F(SplitTest, refuses_edges_that_are_none_and_the_system_shard) {
  const SlotRange range = world_.shard(1).machine().range();
  EXPECT_EQ(propose(1, Split{.child = ShardId(9), .first = range.first}).type, Answer::Type::wrong_shard);
  EXPECT_EQ(propose(1, Split{.child = ShardId(9), .first = static_cast<Slot>(range.last + 1)}).type,
            Answer::Type::wrong_shard);
  EXPECT_EQ(propose(0, Split{.child = ShardId(9), .first = 0}).type, Answer::Type::wrong_shard);
  EXPECT_EQ(world_.shard_count(), 5U);
}

TEST(Coverage, is_whole_only_without_gaps) {
  Coverage coverage;
  EXPECT_EQ(coverage.missing(), Slot{0});
  coverage.add({.first = 10, .last = 65535});
  EXPECT_EQ(coverage.missing(), Slot{0});
  coverage.add({.first = 0, .last = 8});
  EXPECT_EQ(coverage.missing(), Slot{9});
  coverage.add(no_slots);
  EXPECT_EQ(coverage.missing(), Slot{9});
  coverage.add({.first = 5, .last = 12});
  EXPECT_FALSE(coverage.missing());
}

}  // namespace
}  // namespace kiseki::shard::detail
