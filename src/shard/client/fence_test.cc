#include <gtest/gtest.h>

#include "shard/testing/shard_world.h"
#include "sim/simulation.h"

// A process dies with commits on their way and starts again, by seed: what its next session has read stays
// so, whatever arrives late of the one before (PROTOCOLS 5.1).

namespace kiseki::shard::detail {
namespace {

using Type = Assert::Type;
using std::chrono::milliseconds;

constexpr std::uint64_t rows = 8, shards = 4;

/// Over what was found, or where nothing was.
void put_over(Transaction& transaction, const Key& key, const std::optional<Record>& found,
              std::string value) {
  transaction.require(found ? Type::version : Type::absent, key, found ? found->version : Stamp{});
  transaction.put(key, record_of_test(std::move(value)));
}

/// Zero where there is no row.
std::vector<Stamp> versions_of(const ReadReply& reply) {
  std::vector<Stamp> versions;
  for (const auto& got : reply.gets) versions.push_back(got.record ? got.record->version : Stamp{});
  return versions;
}

class FenceRun {
 public:
  explicit FenceRun(const sim::Schedule& schedule)
      : schedule_(schedule), rng_(schedule.seed), world_(shards) {
    world_.weather().rng = SeededRng(schedule.seed + 1);
  }

  std::string run() {
    for (const auto& step : schedule_.steps) {
      live(step.argument);
      const auto words = start_again();
      if (!words.empty()) return words;
    }
    return {};
  }

 private:
  Key row(std::uint64_t number) const {
    return key(world_.leaf_in(1 + number % shards), Kind::inode, item_of(number));
  }

  /// Commits at once, over one shard or several, with a message that is very late; the process dies
  /// somewhere.
  void live(std::uint64_t seed) {
    SeededRng rng(seed);
    auto& user = world_.connect(1);
    for (std::uint64_t i = 0; i < 1 + rng.below(3); ++i) {
      const std::uint64_t first = rng.below(rows);
      world_.loop().spawn(write(*user.session, first, rng.below(2) == 0 ? (first + 1) % rows : first));
    }
    for (std::uint64_t step = rng.below(40); step > 0; --step) world_.loop().step();
    world_.weather().delay_next = milliseconds(1 + rng.below(8000));
    for (std::uint64_t step = rng.below(60); step > 0; --step) world_.loop().step();
    user.life.messages = 0;
    world_.weather().delay_next.reset();
  }

  Task<> write(Session& session, std::uint64_t first, std::uint64_t second) {
    for (;;) {
      ReadRequest request;
      request.gets = {{row(first), false}, {row(second), false}};
      const auto found = co_await session.read(std::move(request));
      if (!found) co_return;
      auto transaction = transaction_of_test();
      put(transaction, row(first), found->gets[0].record);
      if (second != first) put(transaction, row(second), found->gets[1].record);
      if (!co_await session.commit(std::move(transaction))) co_return;
    }
  }

  void put(Transaction& transaction, const Key& key, const std::optional<Record>& found) {
    put_over(transaction, key, found, std::to_string(++written_));
  }

  std::string start_again() {
    auto& next = world_.connect(1);
    const auto before = read(*next.session);
    world_.loop().run_for(std::chrono::seconds(12));
    if (rng_.below(2) == 0) world_.sweep();
    if (before && before != read(*next.session)) return "something of a fenced session came to pass";
    return {};
  }

  std::optional<std::vector<Stamp>> read(Session& session) {
    ReadRequest request;
    for (std::uint64_t i = 0; i < rows; ++i) request.gets.push_back({row(i), false});
    const auto reply = world_.loop().get(session.read(std::move(request)));
    if (!reply) return std::nullopt;
    return versions_of(*reply);
  }

  const sim::Schedule& schedule_;
  SeededRng rng_;
  ShardWorld world_;
  std::uint64_t written_ = 0;
};

class FenceSimulation final : public sim::Simulation {
 public:
  sim::Schedule plan(std::uint64_t seed) const override {
    sim::Schedule schedule{.seed = seed, .steps = {}};
    SeededRng rng(seed);
    for (std::uint64_t i = 1 + rng.below(4); i > 0; --i) schedule.steps.push_back({{}, "life", rng.next()});
    return schedule;
  }
  std::string run(const sim::Schedule& schedule, sim::Trace&) const override {
    return FenceRun(schedule).run();
  }
};

TEST(Fences, nothing_of_an_earlier_session_comes_to_pass) {
  const auto finding = sim::find_violation(FenceSimulation(), sim::Seeds::from_environment(960));
  ASSERT_FALSE(finding) << finding->to_string();
}

/// One session holds a lock and writes, over one shard and several; another breaks the lock: from that commit
/// on nothing of the holder comes to pass in the shard of the lock, and soon nowhere.
class LockRun {
 public:
  explicit LockRun(const sim::Schedule& schedule) : schedule_(schedule), world_(shards) {
    world_.weather().rng = SeededRng(schedule.seed + 1);
  }

  std::string run() {
    for (const auto& step : schedule_.steps) {
      auto words = break_one(step.argument);
      if (!words.empty()) return words;
    }
    return {};
  }

 private:
  Key row(std::uint64_t number) const {
    return key(world_.leaf_in(1 + number % shards), Kind::inode, item_of(number));
  }

  std::string break_one(std::uint64_t seed) {
    SeededRng rng(seed);
    auto& holder = world_.connect(1);
    auto& other = world_.connect(2);
    const Key lock = lock_key(world_.leaf_in(1), InodeId(5), holder.session->id());
    auto taken = transaction_of_test().require(Type::absent, lock).put(lock, {});
    const auto held = world_.loop().get(holder.session->commit(std::move(taken)));
    if (!held || !held->committed()) return "a lock cannot be taken";
    for (std::uint64_t i = 1 + rng.below(4); i > 0; --i) {
      world_.loop().spawn(write(*holder.session, rng.next()));
    }
    for (std::uint64_t step = rng.below(200); step > 0; --step) world_.loop().step();
    world_.weather().delay_next = milliseconds(1 + rng.below(8000));
    for (int step = 0; step < 200 && world_.weather().delay_next; ++step) world_.loop().step();
    if (rng.below(2) == 0) holder.life.messages = 0;
    world_.weather().delay_next.reset();
    auto breaks = transaction_of_test().break_lock(lock, held->stamp);
    const auto broken = world_.loop().get(other.session->commit(std::move(breaks)));
    if (!broken || !broken->committed()) return "a lock cannot be broken";
    return watch(holder.session->id(), *other.session);
  }

  Task<> write(Session& session, std::uint64_t seed) {
    SeededRng rng(seed);
    for (int i = 0; i < 30; ++i) {
      co_await world_.clock().sleep(milliseconds(rng.below(20)));
      const std::uint64_t first = rng.below(rows);
      const std::uint64_t second = rng.below(2) == 0 ? 0 : rng.below(rows);
      ReadRequest request;
      request.gets = {{row(first), false}, {row(second), false}};
      const auto found = co_await session.read(std::move(request));
      if (!found) co_return;
      auto transaction = transaction_of_test();
      put(transaction, row(first), found->gets[0].record);
      if (second != first) put(transaction, row(second), found->gets[1].record);
      if (!co_await session.commit(std::move(transaction))) co_return;
    }
  }

  static void put(Transaction& transaction, const Key& key, const std::optional<Record>& found) {
    put_over(transaction, key, found, "written");
  }

  std::string watch(SessionId holder, Session& other) {
    const auto before = read(other);
    world_.loop().run_for(std::chrono::seconds(12));
    world_.sweep();
    if (before != read(other)) return "something of a holder came to pass after its lock was broken";
    for (std::size_t i = 0; i < world_.shard_count(); ++i) {
      if (!world_.shard(i).machine().sessions().is_fenced(holder)) return "a shard does not know of it";
    }
    return {};
  }

  /// The rows beside the lock.
  std::vector<Stamp> read(Session& session) {
    ReadRequest request;
    for (std::uint64_t i = 0; i < rows; i += shards) request.gets.push_back({row(i), false});
    return versions_of(world_.loop().get(session.read(std::move(request))).value());
  }

  const sim::Schedule& schedule_;
  ShardWorld world_;
};

class LockSimulation final : public sim::Simulation {
 public:
  sim::Schedule plan(std::uint64_t seed) const override {
    sim::Schedule schedule{.seed = seed, .steps = {}};
    SeededRng rng(seed);
    for (std::uint64_t i = 1 + rng.below(3); i > 0; --i) schedule.steps.push_back({{}, "break", rng.next()});
    return schedule;
  }
  std::string run(const sim::Schedule& schedule, sim::Trace&) const override {
    return LockRun(schedule).run();
  }
};

TEST(Fences, nothing_of_a_holder_comes_to_pass_after_its_lock_was_broken) {
  const auto finding = sim::find_violation(LockSimulation(), sim::Seeds::from_environment(960));
  ASSERT_FALSE(finding) << finding->to_string();
}

class PlantedLock : public ::testing::TestWithParam<const char*> {};

TEST_P(PlantedLock, is_noticed) {
  EXPECT_EQ(sim::unnoticed(GetParam(), {.first = 0, .count = 300}, LockSimulation()), "");
}

INSTANTIATE_TEST_SUITE_P(Planted, PlantedLock,
                         ::testing::Values("5.1 a broken lock does not fence its holder",
                                           "5.1 a lock is broken under what its holder has prepared",
                                           "5.1 a broken lock fences in one shard alone"));

class PlantedFence : public ::testing::TestWithParam<const char*> {};

TEST_P(PlantedFence, is_noticed) {
  EXPECT_EQ(sim::unnoticed(GetParam(), {.first = 0, .count = 300}, FenceSimulation()), "");
}

INSTANTIATE_TEST_SUITE_P(Planted, PlantedFence,
                         ::testing::Values("5.1 a start does not fence the session before",
                                           "5.1 a fence does not reach every shard",
                                           "5.1 a fenced session still commits",
                                           "5.1 a fenced session's transaction is decided"));

}  // namespace
}  // namespace kiseki::shard::detail
