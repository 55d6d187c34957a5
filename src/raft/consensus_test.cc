#include <gtest/gtest.h>

#include "base/planted.h"
#include "raft/testing/group_world.h"

// Groups of several replicas under trouble by seed, and the proof that the checkers would notice.

namespace kiseki::raft {
namespace {

TEST(Consensus, holds_under_trouble) {
  const auto found = sim::find_violation(GroupSimulation(), sim::Seeds::from_environment(32));
  if (found) FAIL() << found->to_string();
}

TEST(Consensus, the_same_seed_gives_the_same_run) {
  const GroupSimulation simulation("snapshots");
  const auto run = [&simulation] {
    sim::Trace trace(true);
    EXPECT_EQ(simulation.run(simulation.plan(11), trace), "");
    return trace.text();
  };
  EXPECT_EQ(run(), run());
}

}  // namespace
}  // namespace kiseki::raft
