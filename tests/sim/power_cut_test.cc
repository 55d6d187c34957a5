#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/simulation.h"
#include "sim/workload.h"

// A whole node with users, on a disk that fills up and slows down and whose power is cut, by seed.

namespace kiseki::sim {
namespace {

constexpr std::string_view power_cut = "power cut", kill = "kill", full = "full disk", room = "room again",
                           slow = "slow disk", jump = "clock jump";

class WholeNode final : public Simulation {
 public:
  /// `at` counts from the start of the node's present life.
  Schedule plan(std::uint64_t seed) const override {
    SeededRng rng(seed);
    Schedule schedule{seed, {}};
    for (int life = 0; life < 4; ++life) {
      const Duration length = std::chrono::microseconds(500 + rng.below(200'000));
      const auto moment = [&] { return Duration(rng.below(static_cast<std::uint64_t>(length.count()))); };
      std::vector<Step> steps;
      if (rng.below(3) == 0) steps.push_back({moment(), std::string(slow), rng.below(300'000)});
      if (rng.below(3) == 0) steps.push_back({moment(), std::string(jump), rng.below(600)});
      if (rng.below(4) == 0) {
        const Duration from = moment();
        steps.push_back({from, std::string(full), 0});
        steps.push_back({from + std::chrono::milliseconds(rng.below(100)), std::string(room), 0});
      }
      std::ranges::sort(steps, {}, &Step::at);
      std::ranges::move(steps, std::back_inserter(schedule.steps));
      schedule.steps.push_back({length, std::string(rng.below(3) == 0 ? kill : power_cut), 0});
    }
    return schedule;
  }

  std::string run(const Schedule& schedule, Trace& trace) const override {
    SimulatedLoop loop;
    SimulatedNode node(loop, schedule.seed);
    Workload workload(node, schedule.seed + 1);
    auto step = schedule.steps.begin();
    while (true) {
      if (std::string words = begin_life(loop, node, workload, trace); !words.empty()) return words;
      if (step == schedule.steps.end()) break;
      live(loop, node, workload, trace, step, schedule.steps.end());
    }
    if (!schedule.steps.empty() && workload.acknowledged() == 0) return "nothing was acknowledged";
    return plaintext_on(node);
  }

 private:
  using Steps = std::vector<Step>::const_iterator;

  static std::string begin_life(SimulatedLoop& loop, SimulatedNode& node, Workload& workload, Trace& trace) {
    if (auto started = node.start(); !started) return "start: " + started.error().to_string();
    if (auto ready = loop.get(workload.prepare()); !ready) return "prepare: " + ready.error().to_string();
    trace.note(loop.now(),
               [&] { return fmt::format("started, {} acknowledged so far", workload.acknowledged()); });
    return loop.get(workload.check());
  }

  /// Writers at work, until a step ends the node's life.
  static void live(SimulatedLoop& loop, SimulatedNode& node, Workload& workload, Trace& trace, Steps& step,
                   Steps end) {
    Scope users(loop.executor());
    for (std::size_t writer = 0; writer < 4; ++writer) users.spawn(workload.write(users, writer));
    const BootTime born = loop.now();
    for (; step != end; ++step) {
      if (born + step->at > loop.now()) loop.run_for(born + step->at - loop.now());
      trace.note(loop.now(), [&] { return fmt::format("{} {}", step->what, step->argument); });
      if (step->what == full) node.set_full(true);
      if (step->what == room) node.set_full(false);
      if (step->what == slow) node.set_slow(static_cast<std::uint32_t>(step->argument));
      if (step->what == jump)
        node.set_wall_offset(std::chrono::seconds(step->argument) - std::chrono::minutes(5));
      if (step->what == power_cut || step->what == kill) break;
    }
    const bool is_killed = step != end && step->what == kill;
    node.end(is_killed ? SimulatedNode::End::kill : SimulatedNode::End::power_cut, users);
    if (step != end) ++step;
  }

  static std::string plaintext_on(const SimulatedNode& node) {
    for (const std::string_view word :
         {Workload::bucket_name, Workload::known_word, Workload::known_header,
          std::string_view("plaintext-key"), std::string_view("plaintext-dir")}) {
      if (node.holds(word)) return fmt::format("'{}' stands on the disk", word);
    }
    return {};
  }
};

TEST(PowerCut, loses_nothing_acknowledged_and_shows_no_plaintext) {
  const auto finding = find_violation(WholeNode(), Seeds::from_environment(12));
  EXPECT_FALSE(finding) << finding->to_string();
}

TEST(PowerCut, the_same_seed_gives_the_same_run) {
  const auto trace_of = [](std::uint64_t seed) {
    Trace trace(true);
    EXPECT_EQ(WholeNode().run(WholeNode().plan(seed), trace), "");
    return trace.text();
  };
  EXPECT_EQ(trace_of(7), trace_of(7));
}

}  // namespace
}  // namespace kiseki::sim
