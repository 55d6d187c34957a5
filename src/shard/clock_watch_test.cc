#include "shard/detail/clock_watch.h"

#include <gtest/gtest.h>

#include "sim/simulated_clock.h"

namespace kiseki::shard::detail {
namespace {

/// Nodes of which only the clocks matter.
class Clocks final : public Peers {
 public:
  explicit Clocks(sim::SimulatedLoop& loop) : here(loop) {}
  std::vector<raft::NodeId> nodes() const override { return {1, 2, 3, 4, 5}; }
  raft::Transport& transport() override { std::abort(); }
  ShardPort& port(raft::NodeId, ShardId) override { std::abort(); }
  Task<Result<WallTime>> wall(raft::NodeId node) override {
    co_await here.sleep(delay / 2);
    const auto offset = offsets.at(node);
    const WallTime read = here.wall() + offset.value_or(Duration::zero());
    co_await here.sleep(delay / 2);
    if (!offset) co_return fail(Errc::timed_out, "no answer");
    co_return read;
  }

  sim::SimulatedClock here;
  Duration delay = std::chrono::milliseconds(10);
  std::map<raft::NodeId, std::optional<Duration>> offsets{
      {2, Duration::zero()}, {3, Duration::zero()}, {4, Duration::zero()}, {5, Duration::zero()}};
};

class ClockWatchTest : public ::testing::Test {
 protected:
  void set(std::vector<std::optional<int>> milliseconds) {
    for (std::size_t i = 0; i < milliseconds.size(); ++i) {
      auto& offset = clocks_.offsets[i + 2];
      offset.reset();
      if (milliseconds[i]) offset = std::chrono::milliseconds(*milliseconds[i]);
    }
    loop_.get(watch_.look());
  }

  sim::SimulatedLoop loop_;
  Clocks clocks_{loop_};
  ClockWatch watch_{clocks_, 1, clocks_.here};
};

TEST_F(ClockWatchTest, is_right_while_a_majority_is_near) {
  EXPECT_TRUE(watch_.is_right());
  set({0, 0, 0, 0});
  EXPECT_TRUE(watch_.is_right());
  set({300, -100, 60'000, -60'000});
  EXPECT_TRUE(watch_.is_right());
  EXPECT_TRUE(watch_.is_near(2));
  EXPECT_FALSE(watch_.is_near(4));
}

TEST_F(ClockWatchTest, is_wrong_when_a_majority_is_elsewhere) {
  set({2000, 2100, 1900, 0});
  EXPECT_FALSE(watch_.is_right());
  EXPECT_TRUE(watch_.is_near(2));
  EXPECT_FALSE(watch_.is_near(5));
  set({-5000, -5000, -5000, std::nullopt});
  EXPECT_FALSE(watch_.is_right());
}

/// Who cannot ask a majority cannot lead for long either.
TEST_F(ClockWatchTest, knows_nothing_without_a_majority) {
  set({2000, std::nullopt, std::nullopt, std::nullopt});
  EXPECT_TRUE(watch_.is_right());
}

TEST_F(ClockWatchTest, a_slow_answer_is_no_skew) {
  clocks_.delay = std::chrono::seconds(3);
  set({0, 1900, -1900, 0});
  EXPECT_TRUE(watch_.is_right());
  set({9000, 9000, 9000, 9000});
  EXPECT_FALSE(watch_.is_right());
}

}  // namespace
}  // namespace kiseki::shard::detail
