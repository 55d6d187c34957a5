#include <gtest/gtest.h>

#include "sim/cluster_simulation.h"

// Groups of 3 and 5 over the real shards of several nodes, by seed.

namespace kiseki::sim {
namespace {

TEST(Cluster, works_without_trouble) {
  for (std::uint64_t seed = 0; seed < ClusterSimulation::profiles().size(); ++seed) {
    Trace trace(true);
    EXPECT_EQ(ClusterSimulation().run({.seed = seed, .steps = {}}, trace), "") << trace.text();
  }
}

TEST(Cluster, transactions_are_whole_and_replicas_the_same) {
  const auto found = find_violation(ClusterSimulation(), Seeds::from_environment(9));
  EXPECT_FALSE(found) << found->to_string();
}

TEST(Cluster, the_same_seed_gives_the_same_run) {
  const auto trace_of = [](std::uint64_t seed) {
    Trace trace(true);
    EXPECT_EQ(ClusterSimulation().run(ClusterSimulation().plan(seed), trace), "");
    return trace.text();
  };
  EXPECT_EQ(trace_of(2), trace_of(2));
}

}  // namespace
}  // namespace kiseki::sim
