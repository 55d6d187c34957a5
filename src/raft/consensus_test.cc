#include <gtest/gtest.h>

#include "base/logging.h"
#include "raft/testing/group_world.h"

// Groups of several replicas under trouble by seed, and the proof that the checkers would notice.

namespace kiseki::raft {
namespace {

/// What goes wrong in a run is meant to.
[[maybe_unused]] const bool is_quiet = [] {
  log::set_level(log::Level::error);
  return true;
}();

TEST(Consensus, holds_under_trouble) {
  const auto found = sim::find_violation(GroupSimulation(), sim::Seeds::from_environment(600));
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

/// A fault in the product, and the profile whose trouble brings it to light. The search begins with a seed
/// near one that did.
struct PlantedFault {
  std::string_view fault;
  std::string_view profile;
  std::uint64_t first = 0;
};

class Planted : public testing::TestWithParam<PlantedFault> {};

TEST_P(Planted, is_noticed) {
  const auto& [name, profile, first] = GetParam();
  EXPECT_EQ(sim::unnoticed(name, {.first = first, .count = 100}, GroupSimulation(profile)), "");
}

INSTANTIATE_TEST_SUITE_P(
    Consensus, Planted,
    testing::Values(PlantedFault{"persisted reported early", "elections"},
                    PlantedFault{"entry applied twice after a restart", "elections"},
                    PlantedFault{"local read without a lease", "partitions with reads", 9},
                    PlantedFault{"configuration of the base at restart", "members"},
                    PlantedFault{"a batch goes on behind a change of members", "members"},
                    PlantedFault{"a quiet group goes on ticking", "idle"},
                    PlantedFault{"a lost node wakes nobody", "idle"},
                    PlantedFault{"lost snapshot never reported", "snapshots", 60},
                    PlantedFault{"joint configuration never left", "members"},
                    PlantedFault{"log purged beyond what is durable", "snapshots"},
                    PlantedFault{"whole log taken as committed at restart", "elections"},
                    PlantedFault{"id of a lost replica used again", "losses"},
                    PlantedFault{"replaced suffix kept by recovery", "elections", 10},
                    PlantedFault{"failed flush tried again", "disks"}),
    [](const auto& each) {
      std::string name(each.param.fault);
      std::ranges::replace_if(name, [](char c) { return std::isalnum(c) == 0; }, '_');
      return name;
    });

}  // namespace
}  // namespace kiseki::raft
