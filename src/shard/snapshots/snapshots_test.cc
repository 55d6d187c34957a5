#include "shard/snapshots/snapshots.h"

#include <gtest/gtest.h>

#include "shard/snapshots/removal.h"
#include "shard/testing/shard_world.h"

namespace kiseki::shard::detail {
namespace {

using Type = Assert::Type;

/// Gives pieces out as a test wants them.
class Pieces final : public raft::SnapshotSource {
 public:
  Pieces(raft::SnapshotMeta meta, std::vector<std::string> pieces)
      : meta_(std::move(meta)), pieces_(std::move(pieces)) {}
  const raft::SnapshotMeta& meta() const override { return meta_; }
  Task<Result<std::optional<std::string>>> next() override {
    if (next_ == pieces_.size()) co_return std::nullopt;
    co_return pieces_[next_++];
  }

 private:
  raft::SnapshotMeta meta_;
  std::vector<std::string> pieces_;
  std::size_t next_ = 0;
};

/// A store that remembers how much one write of it has put.
class Weighed final : public kv::KvStore {
 public:
  explicit Weighed(sim::CrashableKv& store) : store_(store) {}
  Bytes heaviest() const noexcept { return heaviest_; }

  Result<> write(const kv::Batch& batch, kv::Blocking blocking) override {
    Bytes weight = 0;
    for (const auto& change : batch.changes()) {
      if (const auto* put = std::get_if<kv::Batch::Put>(&change))
        weight += put->key.size() + put->value.size();
    }
    heaviest_ = std::max(heaviest_, weight);
    return store_.write(batch, blocking);
  }
  Result<std::optional<std::string>> get(kv::Family family, View key, const kv::Snapshot* at,
                                         kv::Blocking blocking) override {
    return store_.get(family, key, at, blocking);
  }
  std::unique_ptr<kv::Snapshot> snapshot() override { return store_.snapshot(); }
  std::unique_ptr<kv::Iterator> iterate(kv::Family family, kv::Range range, const kv::Snapshot* at,
                                        kv::Blocking blocking) override {
    return store_.iterate(family, std::move(range), at, blocking);
  }
  Result<> flush() override { return store_.flush(); }
  Result<std::optional<std::string>> get_durable(kv::Family family, View key) override {
    return store_.get_durable(family, key);
  }
  Bytes unflushed() const override { return store_.unflushed(); }
  Result<> room() const override { return store_.room(); }

 private:
  sim::CrashableKv& store_;
  Bytes heaviest_ = 0;
};

/// One shard with some state, and an empty replica of it in a store of its own.
class SnapshotsTest : public ::testing::Test {
 protected:
  SnapshotsTest() {
    kv::Batch batch;
    Machine::create_empty(batch, id_);
    EXPECT_TRUE(target_.write(batch));
    target_machine_ = std::move(Machine::open(target_, id_).value());
  }
  void fill(std::uint64_t rows, std::size_t value_size) {
    for (std::uint64_t i = 0; i < rows; ++i) {
      auto transaction = transaction_of_test();
      const Key row = key(world_.leaf_in(1), Kind::inode, item_of(i));
      transaction.require(Type::absent, row).put(row, record_of_test(std::string(value_size, 'v')));
      const auto made = world_.loop().get(session_->commit(std::move(transaction)));
      EXPECT_TRUE(made && made->committed());
    }
  }
  /// Rows of the state family, of a type that nothing here looks into.
  void add_state(std::uint64_t rows, std::size_t value_size) {
    kv::Batch batch;
    for (std::uint64_t i = 1; i <= rows; ++i) {
      batch.put(family_state, state_key(id_, StateType::pending, i), std::string(value_size, 'p'));
    }
    EXPECT_TRUE(world_.store().write(batch));
  }
  /// What replicas have in common of their state.
  std::map<std::string, std::string> shared_state(kv::KvStore& store) {
    std::map<std::string, std::string> found;
    const std::string prefix = state_prefix(id_);
    const auto rows = store.iterate(family_state, range_of(prefix));
    for (rows->seek(as_view(prefix)); rows->valid(); rows->next()) {
      const auto type = static_cast<StateType>(rows->key()[prefix.size()]);
      if (!is_replicas_own(type)) found.emplace(as_text(rows->key()), as_text(rows->value()));
    }
    return found;
  }
  ShardSnapshots from() {
    return {id_, world_.store(), pool_, [this]() -> const Machine& { return world_.shard(1).machine(); },
            [](std::unique_ptr<Machine>) { return Result<>{}; }};
  }
  ShardSnapshots into() {
    return {id_, target_, pool_, [this]() -> const Machine& { return *target_machine_; },
            [this](std::unique_ptr<Machine> machine) {
              target_machine_ = std::move(machine);
              return Result<>{};
            }};
  }
  std::vector<std::string> pieces_of(raft::SnapshotSource& source) {
    std::vector<std::string> pieces;
    while (auto piece = world_.loop().get(source.next()).value()) pieces.push_back(std::move(*piece));
    return pieces;
  }
  Result<> stage(raft::SnapshotMeta meta, std::vector<std::string> pieces) {
    Pieces source(std::move(meta), std::move(pieces));
    return world_.loop().get(into().stage(source));
  }
  std::size_t rows_in_target(kv::Family family) {
    std::size_t count = 0;
    const auto rows = target_.iterate(family, {}, nullptr);
    for (rows->seek({}); rows->valid(); rows->next()) ++count;
    return count;
  }

  ShardWorld world_{4};
  Session* session_ = world_.connect(1).session.get();
  const ShardId id_{1};
  sim::CrashableKv target_{family_count};
  BlockingPool pool_{0};
  std::unique_ptr<Machine> target_machine_;
};

TEST_F(SnapshotsTest, give_the_state_of_one_moment_in_bounded_pieces) {
  fill(60, 60'000);
  auto snapshots = from();
  auto source = snapshots.take().value();
  const auto index = source->meta().index;
  fill(0, 0);
  auto erase = transaction_of_test().erase(key(world_.leaf_in(1), Kind::inode, item_of(3)));
  ASSERT_TRUE(world_.loop().get(session_->commit(std::move(erase)))->committed());
  const auto pieces = pieces_of(*source);
  EXPECT_GE(pieces.size(), 3U);
  for (const auto& piece : pieces) EXPECT_LE(piece.size(), 1_MiB);
  ASSERT_TRUE(stage(source->meta(), pieces));
  EXPECT_EQ(rows_in_target(family_rows), 0U);
  auto target = into();
  ASSERT_TRUE(world_.loop().get(target.install(index)));
  EXPECT_EQ(target_machine_->applied(), index);
  EXPECT_EQ(target_machine_->range(), world_.shard(1).machine().range());
  EXPECT_EQ(rows_in_target(family_rows), 60U);
  EXPECT_EQ(target_machine_->configuration(), source->meta().conf);
}

TEST_F(SnapshotsTest, a_later_one_replaces_all_that_was_there_and_knows_no_references_of_before) {
  const auto install = [this] {
    auto snapshots = from();
    auto source = snapshots.take().value();
    EXPECT_TRUE(stage(source->meta(), pieces_of(*source)));
    auto target = into();
    EXPECT_TRUE(world_.loop().get(target.install(source->meta().index)));
  };
  fill(3, 10);
  install();
  EXPECT_EQ(rows_in_target(family_rows), 3U);
  auto erase = transaction_of_test().erase(key(world_.leaf_in(1), Kind::inode, item_of(1)));
  ASSERT_TRUE(world_.loop().get(session_->commit(std::move(erase)))->committed());
  Proposal raise{.stamp = {}, .body = RaiseEpoch{GcEpoch(4)}};
  ASSERT_TRUE(world_.loop().get(world_.shard(1).ask(ProposeRequest{std::move(raise), Attempt::again})));
  install();
  EXPECT_EQ(rows_in_target(family_rows), 2U);
  EXPECT_TRUE(world_.shard(1).machine().knows_references());
  EXPECT_FALSE(target_machine_->knows_references());
}

/// Turns of the loop that others get until `work` is done.
Task<> take_turns(std::size_t& turns, const bool& is_done) {
  while (!is_done) {
    ++turns;
    co_await asio::post(asio::bind_executor(co_await asio::this_coro::executor, use_task));
  }
}

TEST_F(SnapshotsTest, an_installation_leaves_the_core_to_others_between_its_steps) {
  fill(300, 20'000);
  auto snapshots = from();
  auto source = snapshots.take().value();
  ASSERT_TRUE(stage(source->meta(), pieces_of(*source)));
  auto target = into();
  std::size_t turns = 0;
  bool is_done = false;
  Scope others(world_.loop().executor());
  others.spawn(take_turns(turns, is_done));
  ASSERT_TRUE(world_.loop().get(target.install(source->meta().index)));
  is_done = true;
  world_.loop().get(others.stop());
  EXPECT_GE(turns, 6U);  // 6 MB in steps of one
}

TEST_F(SnapshotsTest, no_write_of_an_installation_is_larger_than_a_step) {
  constexpr Bytes step = 1_MiB;
  fill(40, 60'000);
  add_state(300, 8000);
  auto snapshots = from();
  auto source = snapshots.take().value();
  ASSERT_TRUE(stage(source->meta(), pieces_of(*source)));
  Weighed store(target_);
  ShardSnapshots target(
      id_, store, pool_, [this]() -> const Machine& { return *target_machine_; },
      [](std::unique_ptr<Machine>) { return Result<>{}; });
  ASSERT_TRUE(world_.loop().get(target.install(source->meta().index)));
  EXPECT_LE(store.heaviest(), step + 100'000);
  EXPECT_EQ(shared_state(target_), shared_state(world_.store()));
}

TEST_F(SnapshotsTest, carry_who_is_gone_and_who_is_fenced) {
  const SessionId gone = world_.connect(2).session->id();
  world_.connect(2);
  world_.sweep();
  const SessionId fenced = world_.connect(3).session->id();
  const SessionId living = world_.connect(3).session->id();
  auto snapshots = from();
  auto source = snapshots.take().value();
  const auto index = source->meta().index;
  ASSERT_TRUE(stage(source->meta(), pieces_of(*source)));
  auto target = into();
  ASSERT_TRUE(world_.loop().get(target.install(index)));
  for (int start = 0; start < 2; ++start) {
    const auto& sessions = target_machine_->sessions();
    EXPECT_TRUE(sessions.is_fenced(gone));
    EXPECT_EQ(sessions.low_water(gone), ~std::uint64_t{0});
    EXPECT_EQ(sessions.fenced(), std::vector{fenced});
    EXPECT_FALSE(sessions.is_fenced(living));
    target_machine_ = std::move(Machine::open(target_, id_).value());
  }
}

TEST_F(SnapshotsTest, damaged_pieces_are_refused) {
  fill(40, 60'000);
  auto snapshots = from();
  auto source = snapshots.take().value();
  const auto pieces = pieces_of(*source);
  const auto meta = source->meta();
  SeededRng rng(1);
  for (int i = 0; i < 200; ++i) {
    auto bad = pieces;
    auto& piece = bad[rng.below(bad.size())];
    char& byte = piece[rng.below(piece.size())];
    byte = static_cast<char>(static_cast<unsigned char>(byte) ^ 1U << rng.below(8));
    EXPECT_FALSE(stage(meta, bad));
  }
  auto missing = pieces;
  missing.erase(missing.begin() + 1);
  EXPECT_EQ(stage(meta, missing).error().code(), Errc::corrupted);
  EXPECT_EQ(stage(meta, {pieces.front()}).error().code(), Errc::corrupted);
  EXPECT_EQ(stage(meta, {}).error().code(), Errc::corrupted);
  auto swapped = pieces;
  std::swap(swapped[0], swapped[1]);
  EXPECT_EQ(stage(meta, swapped).error().code(), Errc::corrupted);
  auto other = meta;
  ++other.index;
  EXPECT_EQ(stage(other, pieces).error().code(), Errc::corrupted);
  EXPECT_EQ(world_.loop().get(into().install(meta.index)).error().code(), Errc::not_found);
  EXPECT_EQ(rows_in_target(family_rows), 0U);
}

TEST_F(SnapshotsTest, rows_of_other_shards_are_refused) {
  const raft::SnapshotMeta meta{.index = 5, .term = 1, .conf = first_base().conf};
  const auto piece_with = [&](SnapshotRow last) {
    PieceWriter writer(id_, 5, 1);
    const auto state = [](StateType type) { return std::string(1, static_cast<char>(type)); };
    const Progress progress{.applied = 5, .term = 1, .last = {}, .epoch = {}};
    writer.add({family_state, state(StateType::progress), progress.encode()});
    writer.add({family_state, state(StateType::range), encode(world_.shard(1).machine().range())});
    writer.add({family_state, state(StateType::configuration), encode(meta.conf)});
    writer.add(last);
    return writer.piece(PieceWriter::Position::last);
  };
  const Key ours = key(world_.leaf_in(1), Kind::inode, item_of(1));
  const Key theirs = key(world_.leaf_in(2), Kind::inode, item_of(1));
  const std::string value = record_of_test("v").encode();
  EXPECT_TRUE(stage(meta, {piece_with({family_rows, ours.encode(), value})}));
  EXPECT_FALSE(stage(meta, {piece_with({family_rows, theirs.encode(), value})}));
  EXPECT_FALSE(stage(meta, {piece_with({family_feeds, ours.encode(), value})}));
  EXPECT_FALSE(stage(meta, {piece_with({family_rows, ours.encode(), "?"})}));
  EXPECT_FALSE(stage(meta, {piece_with({family_state, std::string(1, '\x0a'), value})}));
  EXPECT_FALSE(stage(meta, {piece_with({kv::Family{9}, ours.encode(), value})}));
}

/// The child of a later split is here already; what the parent had before it is not the parent's any more.
TEST_F(SnapshotsTest, slots_of_another_shard_here_are_refused) {
  fill(3, 100);
  auto snapshots = from();
  auto source = snapshots.take().value();
  const auto pieces = pieces_of(*source);
  const SlotRange whole = world_.shard(1).machine().range();
  kv::Batch batch;
  Machine::create(batch, ShardId(7), {whole.last, whole.last}, first_base());
  ASSERT_TRUE(target_.write(batch));
  EXPECT_EQ(stage(source->meta(), pieces).error().code(), Errc::unavailable);
  EXPECT_EQ(world_.loop().get(into().install(source->meta().index)).error().code(), Errc::not_found);
  ASSERT_TRUE(remove_replica(target_, ShardId(7)));
  EXPECT_TRUE(stage(source->meta(), pieces));
}

TEST_F(SnapshotsTest, what_a_crash_cut_off_is_dropped_or_finished) {
  fill(50, 50'000);
  add_state(20, 100);
  const auto state = shared_state(world_.store());
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    auto snapshots = from();
    auto source = snapshots.take().value();
    const auto index = source->meta().index;
    const auto pieces = pieces_of(*source);
    // Staged by halves: gone at the next start.
    EXPECT_FALSE(stage(source->meta(), {pieces.front()}));
    target_.crash(seed);
    ASSERT_TRUE(ShardSnapshots::finish(target_, id_));
    EXPECT_FALSE(world_.loop().get(into().install(index)));
    // Staged whole and installed by halves: the old or the new state, and the way on is open.
    ASSERT_TRUE(stage(source->meta(), pieces));
    target_.set_full(true);
    EXPECT_FALSE(world_.loop().get(into().install(index)));
    target_.set_full(false);
    target_.crash(seed);
    ASSERT_TRUE(ShardSnapshots::finish(target_, id_));
    target_machine_ = std::move(Machine::open(target_, id_).value());
    EXPECT_TRUE(target_machine_->applied() == index || rows_in_target(family_rows) == 0);
    ASSERT_TRUE(world_.loop().get(into().install(index)));
    EXPECT_EQ(rows_in_target(family_rows), 50U);
    EXPECT_EQ(shared_state(target_), state);
    ASSERT_TRUE(ShardSnapshots::finish(target_, id_));
    // Back to an empty replica.
    kv::Batch batch;
    for (kv::Family family = 0; family < family_count; ++family) batch.erase_range(family, {});
    Machine::create_empty(batch, id_);
    ASSERT_TRUE(target_.write(batch));
    ASSERT_TRUE(target_.flush());
    target_machine_ = std::move(Machine::open(target_, id_).value());
  }
}

/// Installation and removal, each cut by a loss of power after any of its writes, and twice at the start
/// after it.
TEST_F(SnapshotsTest, what_a_removal_erases_never_comes_back_whatever_is_cut) {
  fill(40, 30'000);
  std::size_t removed = 0, kept = 0;
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    SCOPED_TRACE(seed);
    auto snapshots = from();
    auto source = snapshots.take().value();
    ASSERT_TRUE(stage(source->meta(), pieces_of(*source)));
    const auto cut = [&](std::uint64_t which) {
      target_.crash(seed * 7 + which);
      ASSERT_TRUE(finish_removals(target_));
      if (was_removed(target_, id_).value()) return;
      ASSERT_TRUE(ShardSnapshots::finish(target_, id_));
      target_machine_ = std::move(Machine::open(target_, id_).value());
    };
    target_.set_full(true);
    EXPECT_FALSE(world_.loop().get(into().install(source->meta().index)));
    target_.set_full(false);
    cut(1);
    if (seed % 2 == 0) ASSERT_TRUE(target_.flush());
    ASSERT_TRUE(remove_replica(target_, id_));
    for (std::uint64_t i = 2; i < 5; ++i) cut(i);
    const std::size_t rows = rows_in_target(family_rows);
    if (was_removed(target_, id_).value()) {
      ++removed;
      EXPECT_EQ(rows, 0U);
      EXPECT_EQ(rows_in_target(family_state), 1U);
      ASSERT_TRUE(target_.flush());
      target_.crash(seed);
      EXPECT_EQ(rows_in_target(family_rows), 0U);
    } else {
      ++kept;
      EXPECT_EQ(rows, target_machine_->applied() == source->meta().index ? 40U : 0U);
    }
    kv::Batch batch;
    for (kv::Family family = 0; family < family_count; ++family) batch.erase_range(family, {});
    Machine::create_empty(batch, id_);
    ASSERT_TRUE(target_.write(batch) && target_.flush());
    target_machine_ = std::move(Machine::open(target_, id_).value());
  }
  EXPECT_GT(removed, 0U);
  EXPECT_GT(kept, 0U);
}

}  // namespace
}  // namespace kiseki::shard::detail
