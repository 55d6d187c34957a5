#include "shard/node/clock_watch.h"

#include <gtest/gtest.h>

#include "base/planted.h"
#include "sim/simulated_clock.h"

namespace kiseki::shard::detail {
namespace {

/// Nodes of which only the clocks matter.
class Nodes final : public Peers, public NodeChannel {
 public:
  explicit Nodes(sim::SimulatedLoop& loop) : here(loop), there(loop) {}
  std::vector<raft::NodeId> nodes() const override { return {1, 2, 3, 4, 5}; }
  raft::Transport& transport() override { std::abort(); }
  NodeChannel& channel() override { return *this; }
  Task<Result<std::string>> call(raft::NodeId, std::string, Duration) override { std::abort(); }
  Task<Result<Clocks>> clocks(raft::NodeId node) override {
    co_await here.sleep(delay / 2);
    const auto offset = offsets.at(node);
    if (jump) here.set_wall_offset(*std::exchange(jump, std::nullopt));
    const WallTime read = there.wall() + offset.value_or(Duration::zero());
    co_await here.sleep(delay / 2);
    if (!offset) co_return fail(Errc::timed_out, "no answer");
    co_return Clocks{.wall = read, .newest = newest};
  }

  sim::SimulatedClock here, there;
  std::optional<Duration> jump;  // of the clock here, while it asks
  Stamp newest;
  Duration delay = std::chrono::milliseconds(10);
  std::map<raft::NodeId, std::optional<Duration>> offsets{
      {2, Duration::zero()}, {3, Duration::zero()}, {4, Duration::zero()}, {5, Duration::zero()}};
};

class ClockWatchTest : public ::testing::Test {
 protected:
  void set(std::vector<std::optional<int>> milliseconds) {
    for (std::size_t i = 0; i < milliseconds.size(); ++i) {
      auto& offset = nodes_.offsets[i + 2];
      offset.reset();
      if (milliseconds[i]) offset = std::chrono::milliseconds(*milliseconds[i]);
    }
    loop_.get(watch_.look());
  }
  Stamp stamp() const { return stamps_.at(nodes_.here.now()); }

  sim::SimulatedLoop loop_;
  Nodes nodes_{loop_};
  StampClock stamps_;
  ClockWatch watch_{&nodes_, 1, nodes_.here, stamps_};
};

TEST_F(ClockWatchTest, silent_nodes_are_waited_for_side_by_side) {
  nodes_.delay = std::chrono::seconds(2);
  const BootTime began = nodes_.here.now();
  set({0, 0, std::nullopt, std::nullopt});
  EXPECT_LE(nodes_.here.now() - began, std::chrono::seconds(2));
}

TEST_F(ClockWatchTest, is_right_while_a_majority_is_near) {
  EXPECT_FALSE(watch_.is_off());
  set({0, 0, 0, 0});
  EXPECT_FALSE(watch_.is_off());
  set({300, -100, 60'000, -60'000});
  EXPECT_FALSE(watch_.is_off());
  EXPECT_TRUE(watch_.is_near(2));
  EXPECT_FALSE(watch_.is_near(4));
}

TEST_F(ClockWatchTest, is_wrong_when_a_majority_is_elsewhere) {
  set({2000, 2100, 1900, 0});
  EXPECT_TRUE(watch_.is_off());
  EXPECT_TRUE(watch_.is_near(2));
  EXPECT_FALSE(watch_.is_near(5));
  set({-5000, -5000, -5000, std::nullopt});
  EXPECT_TRUE(watch_.is_off());
}

TEST_F(ClockWatchTest, sets_the_stamp_clock_while_it_is_right) {
  set({2000, 2100, 1900, 0});
  EXPECT_EQ(stamp(), Stamp(0));
  set({0, std::nullopt, std::nullopt, std::nullopt});
  EXPECT_EQ(stamp(), Stamp(0));
  set({300, -100, 60'000, -60'000});
  const Stamp right = stamp();
  EXPECT_GT(right, Stamp(0));
  nodes_.here.set_wall_offset(std::chrono::hours(1));
  set({0, 0, 0, 0});
  EXPECT_TRUE(watch_.is_off());
  EXPECT_LT(stamp().value(), right.value() + (60'000ULL << 16));
}

TEST_F(ClockWatchTest, a_jump_during_a_look_is_for_the_next) {
  nodes_.jump = std::chrono::hours(1);
  set({0, 0, 0, 0});
  EXPECT_FALSE(watch_.is_off());
  set({0, 0, 0, 0});
  EXPECT_TRUE(watch_.is_off());
}

TEST_F(ClockWatchTest, hears_how_far_others_have_come) {
  constexpr std::uint64_t an_hour = 3'600'000ULL << 16;
  set({0, 0, 0, 0});
  const auto is_known = [this] {
    nodes_.newest = Stamp(std::max(nodes_.newest, stamp()).value() + an_hour);
    set({0, 0, 0, 0});
    return !stamps_.is_beyond(nodes_.newest, nodes_.here.now());
  };
  EXPECT_TRUE(is_known());
  const planted::Fault fault("1.7 a node does not hear how far others have come");
  EXPECT_FALSE(is_known());
}

/// Who cannot ask a majority cannot lead for long either.
TEST_F(ClockWatchTest, knows_nothing_without_a_majority) {
  set({2000, std::nullopt, std::nullopt, std::nullopt});
  EXPECT_FALSE(watch_.is_off());
}

TEST_F(ClockWatchTest, a_slow_answer_is_no_skew) {
  nodes_.delay = std::chrono::seconds(3);
  set({0, 1900, -1900, 0});
  EXPECT_FALSE(watch_.is_off());
  set({9000, 9000, 9000, 9000});
  EXPECT_TRUE(watch_.is_off());
}

}  // namespace
}  // namespace kiseki::shard::detail
