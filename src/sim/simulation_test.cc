#include "sim/simulation.h"

#include <gtest/gtest.h>

#include "base/planted.h"

namespace kiseki::sim {
namespace {

/// Goes wrong when a "bad" step comes before a "worse" one; most steps do nothing.
class Fragile final : public Simulation {
 public:
  Schedule plan(std::uint64_t seed) const override {
    Schedule schedule{seed, {}};
    for (std::uint64_t i = 0; i < 40; ++i) {
      const auto dice = (seed * 31 + i * 7) % 41;
      schedule.steps.push_back({std::chrono::milliseconds(i),
                                dice == 3   ? "bad"
                                : dice == 5 ? "worse"
                                            : "calm",
                                i});
    }
    return schedule;
  }
  std::string run(const Schedule& schedule, Trace& trace) const override {
    bool was_bad = false;
    for (const auto& step : schedule.steps) {
      trace.note(BootTime(step.at), [&step] { return step.what; });
      was_bad = was_bad || step.what == "bad";
      if (was_bad && step.what == "worse") return "worse after bad";
    }
    return {};
  }
};

TEST(Simulation, a_failing_seed_is_found_and_made_small) {
  const auto finding = find_violation(Fragile(), {.first = 0, .count = 100});
  ASSERT_TRUE(finding);
  EXPECT_EQ(finding->words, "worse after bad");
  ASSERT_EQ(finding->schedule.steps.size(), 2U);
  EXPECT_EQ(finding->schedule.steps[0].what, "bad");
  EXPECT_EQ(finding->schedule.steps[1].what, "worse");
  EXPECT_NE(finding->to_string().find("--seed "), std::string::npos);
  EXPECT_NE(finding->trace.find("worse"), std::string::npos);
}

TEST(Simulation, clean_seeds_give_nothing) {
  class Calm final : public Simulation {
    Schedule plan(std::uint64_t seed) const override { return {seed, {}}; }
    std::string run(const Schedule&, Trace&) const override { return {}; }
  };
  EXPECT_FALSE(find_violation(Calm(), {.first = 0, .count = 10}));
  const Seeds some{.first = 0, .count = 100};
  EXPECT_EQ(unnoticed("sim a fault of a test", some, Calm()), "not noticed in 100 seeds, met 0 times");
  EXPECT_NE(unnoticed("sim a fault of a test", some, Fragile()).find("without the fault"), std::string::npos);
}

TEST(Simulation, says_why_a_planted_fault_was_not_noticed) {
  const auto planted = [](std::uint64_t seed) {
    return KISEKI_PLANTED("sim a fault of a test") && seed == 6 ? "wrong" : "";
  };
  EXPECT_EQ(unnoticed("sim a fault of a test", {.first = 5, .count = 10}, planted), "");
  EXPECT_EQ(unnoticed("sim a fault of a test", {.first = 7, .count = 10}, planted),
            "not noticed in 10 seeds, met 10 times");
  EXPECT_NE(unnoticed("sim another", {.first = 0, .count = 1}, [](std::uint64_t) { return "always"; }), "");
}

}  // namespace
}  // namespace kiseki::sim
