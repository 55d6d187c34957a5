#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/simulation.h"
#include "sim/workload.h"

// A whole node with users, on a disk that fills up and slows down and whose power is cut, by seed.

namespace kiseki::sim {
namespace {

constexpr std::string_view power_cut = "power cut", kill = "kill", full = "full disk", room = "room again",
                           slow = "slow disk", jump = "clock jump";

/// One node through all its lives.
class Run {
 public:
  Run(const Schedule& schedule, Trace& trace)
      : step_(schedule.steps.begin()),
        end_(schedule.steps.end()),
        trace_(trace),
        node_(loop_, schedule.seed),
        workload_(node_, schedule.seed + 1) {}

  std::string run() {
    const bool was_disturbed = step_ != end_;
    while (true) {
      if (std::string words = begin_life(); !words.empty()) return words;
      if (step_ == end_) break;
      live();
    }
    if (was_disturbed && workload_.acknowledged() == 0) return "nothing was acknowledged";
    std::string words = plaintext();
    return words.empty() ? leak() : words;
  }

 private:
  std::string begin_life() {
    if (auto started = node_.start(); !started) return "start: " + started.error().to_string();
    if (auto ready = loop_.get(workload_.prepare()); !ready) return "prepare: " + ready.error().to_string();
    trace_.note(loop_.now(),
                [this] { return fmt::format("started, {} acknowledged so far", workload_.acknowledged()); });
    return loop_.get(workload_.check());
  }

  /// Writers at work, until a step ends the node's life.
  void live() {
    Scope users(loop_.executor());
    for (std::size_t writer = 0; writer < 4; ++writer) users.spawn(workload_.write(users, writer));
    const BootTime born = loop_.now();
    auto end = SimulatedNode::End::power_cut;
    for (bool alive = true; alive && step_ != end_; ++step_) {
      if (born + step_->at > loop_.now()) loop_.run_for(born + step_->at - loop_.now());
      trace_.note(loop_.now(), [this] { return fmt::format("{} {}", step_->what, step_->argument); });
      alive = step_->what != power_cut && step_->what != kill;
      if (step_->what == kill) end = SimulatedNode::End::kill;
      disturb(*step_);
    }
    node_.end(end, users);
  }

  void disturb(const Step& step) {
    if (step.what == full) node_.set_full(true);
    if (step.what == room) node_.set_full(false);
    if (step.what == slow) node_.set_slow(static_cast<std::uint32_t>(step.argument));
    if (step.what == jump)
      node_.set_wall_offset(std::chrono::seconds(step.argument) - std::chrono::minutes(5));
  }

  /// Whatever the cuts have left behind, nothing refers to it once all is removed: rounds give it back.
  std::string leak() {
    if (auto removed = loop_.get(workload_.remove_all()); !removed) {
      return "remove: " + removed.error().to_string();
    }
    std::size_t left = 0;
    for (int i = 0; i < 60; ++i) {
      loop_.run_for(std::chrono::milliseconds(500));
      const auto chunks = loop_.get(node_.chunks());
      if (!chunks) return "chunks: " + chunks.error().to_string();
      left = *chunks;
      if (left == 0) return {};
    }
    return fmt::format("{} chunks that nothing refers to stay", left);
  }

  std::string plaintext() const {
    for (const std::string_view word :
         {Workload::bucket_name, Workload::known_word, Workload::known_header,
          std::string_view("plaintext-key"), std::string_view("plaintext-dir")}) {
      if (node_.holds(word)) return fmt::format("'{}' stands on the disk", word);
    }
    return {};
  }

  std::vector<Step>::const_iterator step_, end_;
  Trace& trace_;
  SimulatedLoop loop_;
  SimulatedNode node_;
  Workload workload_;
};

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
    return Run(schedule, trace).run();
  }
};

TEST(PowerCut, loses_nothing_acknowledged_and_shows_no_plaintext) {
  const auto finding = find_violation(WholeNode(), Seeds::from_environment(48));
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
