#include "sim/simulated_network.h"

#include <gtest/gtest.h>

namespace kiseki::sim {
namespace {

using std::chrono::milliseconds;

/// Three nodes that write down what they get.
struct World {
  explicit World(std::uint64_t seed) : network(loop, seed) {
    for (std::uint64_t node = 1; node <= 3; ++node) {
      network.attach(node, [this, node](std::uint64_t from, std::string bytes) {
        log.push_back(std::to_string(from) + ">" + std::to_string(node) + " " + bytes);
      });
    }
  }
  SimulatedLoop loop;
  SimulatedNetwork network;
  std::vector<std::string> log;
};

TEST(SimulatedNetwork, delivers_with_delay) {
  World world(1);
  world.network.send(1, 2, "a");
  EXPECT_TRUE(world.log.empty());
  world.loop.run();
  EXPECT_EQ(world.log, std::vector<std::string>{"1>2 a"});
}

TEST(SimulatedNetwork, loses_repeats_and_reorders_the_same_way_for_the_same_seed) {
  const auto run = [](std::uint64_t seed) {
    World world(seed);
    world.network.weather() = {.lost = 200'000, .repeated = 200'000, .late = 100'000};
    for (int i = 0; i < 200; ++i) world.network.send(1, 2, std::to_string(i));
    world.loop.run();
    EXPECT_GT(world.network.counters().lost, 10U);
    EXPECT_GT(world.network.counters().repeated, 10U);
    EXPECT_FALSE(std::ranges::is_sorted(world.log));
    return world.log;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

TEST(SimulatedNetwork, cuts_one_way_and_what_is_under_way) {
  World world(1);
  world.network.send(1, 2, "under way");
  world.network.cut(1, 2);
  world.network.send(2, 1, "back");
  world.loop.run();
  EXPECT_EQ(world.log, std::vector<std::string>{"2>1 back"});
  world.network.heal(1, 2);
  world.network.send(1, 2, "again");
  world.loop.run();
  EXPECT_EQ(world.log.back(), "1>2 again");
}

TEST(SimulatedNetwork, parts_and_flaps) {
  World world(1);
  world.network.part({{1}, {2, 3}});
  EXPECT_FALSE(world.network.is_open(1, 3));
  EXPECT_FALSE(world.network.is_open(3, 1));
  EXPECT_TRUE(world.network.is_open(2, 3));
  world.network.heal_all();
  world.network.flap(1, 2, milliseconds(10));
  EXPECT_FALSE(world.network.is_open(1, 2));
  world.loop.run_for(milliseconds(15));
  EXPECT_TRUE(world.network.is_open(1, 2));
}

TEST(SimulatedNetwork, forgets_what_arrives_at_a_node_that_is_gone) {
  World world(1);
  world.network.capture();
  world.network.send(1, 2, "secret words");
  world.network.detach(2);
  world.loop.run();
  EXPECT_TRUE(world.log.empty());
  EXPECT_TRUE(world.network.has_seen("secret"));
  EXPECT_FALSE(world.network.has_seen("other"));
}

TEST(SimulatedClock, may_run_faster_or_slower_than_the_loop) {
  SimulatedLoop loop;
  SimulatedClock fast(loop);
  SimulatedClock slow(loop);
  fast.set_drift(100);
  slow.set_drift(-100);
  const BootTime began = fast.now();
  BootTime rang{};
  fast.at(began + milliseconds(1100), [&] { rang = loop.now(); });
  loop.run_for(std::chrono::seconds(2));
  EXPECT_EQ(rang - began, milliseconds(1000));
  EXPECT_EQ(fast.now() - began, milliseconds(2200));
  EXPECT_EQ(slow.now() - began, milliseconds(1800));
  const BootTime before = fast.now();
  fast.set_drift(0);
  EXPECT_EQ(fast.now(), before);
}

}  // namespace
}  // namespace kiseki::sim
