#include <algorithm>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "fs/testing/tree_check.h"
#include "sim/gateways.h"
#include "sim/namespace_user.h"
#include "sim/simulation.h"

// Directories that split, shrink, appear, move and go under several file systems at once, on real shards,
// with power cuts.

namespace kiseki::sim {
namespace {

constexpr std::string_view power_cut = "power cut", shrink = "shrink";

class Directories final : public Simulation {
 public:
  /// `at` counts from the start of the node's present life; a cut begins the next one.
  Schedule plan(std::uint64_t seed) const override {
    SeededRng rng(seed);
    Schedule schedule{seed, {}};
    for (int life = 0; life < 3; ++life) {
      if (life > 0)
        schedule.steps.push_back({std::chrono::milliseconds(rng.below(15)), std::string(shrink), 0});
      const auto length = std::chrono::milliseconds(3 + rng.below(40));
      schedule.steps.push_back({length, std::string(power_cut), 0});
    }
    return schedule;
  }

  std::string run(const Schedule& schedule, Trace& trace) const override;
};

class Run {
 public:
  Run(std::uint64_t seed, Trace& trace) : trace_(trace), gateways_(loop_, seed, 2 + seed % 3) {
    for (std::size_t i = 0; i < 2 * gateways_.count(); ++i) {
      users_.push_back(std::make_unique<NamespaceUser>(i, seed * 1000 + i));
    }
  }

  std::string begin_life() {
    if (auto started = gateways_.start(); !started) return "start: " + started.error().to_string();
    auto ns = loop_.get(gateways_.files(0).namespaces().create(gateways_.tenant(), "bucket", {}));
    if (!ns && ns.error().code() == Errc::exists) {
      ns = loop_.get(gateways_.files(1).namespaces().find(gateways_.tenant(), "bucket"));
    }
    if (!ns) return "bucket: " + ns.error().to_string();
    ns_ = *ns;
    for (std::size_t i = 0; i < users_.size(); ++i) {
      if (auto words = loop_.get(users_[i]->check(files_of(i), ns_)); !words.empty()) return words;
    }
    shrinks_ = false;
    return {};
  }

  /// Until the next cut, or for as long as it takes to do something; false after the last.
  bool live(std::vector<Step>::const_iterator& step, std::vector<Step>::const_iterator end) {
    Scope scope(loop_.executor());
    for (std::size_t i = 0; i < users_.size(); ++i) scope.spawn(use(scope, i));
    Duration passed{};
    bool cut = false;
    while (!cut && step != end) {
      loop_.run_for(std::max(Duration{}, step->at - passed));
      passed = std::max(passed, step->at);
      cut = step->what == power_cut;
      shrinks_ |= step->what == shrink;
      trace_.note(loop_.now(), [&] { return step->what; });
      ++step;
    }
    if (cut && words_.empty()) {
      gateways_.power_cut(scope);
      return true;
    }
    loop_.get(scope.stop());
    return false;
  }

  /// Everything that crashes and removals left behind goes by itself; the rows are a tree.
  std::string end() {
    loop_.run_for(std::chrono::seconds(25));
    fs::ListRequest whole;
    (void)loop_.get(gateways_.files(0).objects().list(ns_.id, whole));
    loop_.run_for(std::chrono::seconds(5));
    for (std::size_t i = 0; i < users_.size(); ++i) {
      if (auto words = loop_.get(users_[i]->check(files_of(i), ns_)); !words.empty()) return words;
    }
    fs::detail::NamespaceCache keys(gateways_.services());
    const auto context = loop_.get(keys.get(ns_.id));
    if (!context) return context.error().to_string();
    const fs::TreeCheck check(
        gateways_.rows(), [this](const auto& leaf) { return gateways_.counters(leaf); }, *context);
    if (!check.problems().empty()) return check.problems().front();
    if (!check.leftovers().empty()) return "left over: " + check.leftovers().front();
    return {};
  }

  const std::string& words() const noexcept { return words_; }
  std::uint64_t done() const {
    std::uint64_t done = 0;
    for (const auto& user : users_) done += user->done();
    return done;
  }

 private:
  fs::FileSystem& files_of(std::size_t user) { return gateways_.files(user % gateways_.count()); }

  Task<> use(Scope& scope, std::size_t user) {
    while (!scope.stopping() && words_.empty()) {
      auto outcome = co_await users_[user]->act(files_of(user), ns_, shrinks_);
      if (words_.empty()) words_ = std::move(outcome.words);
      if (outcome.stopped) co_return;
      if (users_[user]->done() % 40 != 0) continue;
      auto wrong = co_await users_[user]->check(files_of(user), ns_);
      if (words_.empty()) words_ = std::move(wrong);
    }
  }

  SimulatedLoop loop_;
  Trace& trace_;
  Gateways gateways_;
  fs::Namespace ns_;
  std::vector<std::unique_ptr<NamespaceUser>> users_;
  std::string words_;  // of what went wrong meanwhile
  bool shrinks_ = false;
};

std::string Directories::run(const Schedule& schedule, Trace& trace) const {
  Run run(schedule.seed, trace);
  auto step = schedule.steps.begin();
  while (true) {
    if (auto words = run.begin_life(); !words.empty()) return words;
    if (step == schedule.steps.end()) break;
    if (!run.live(step, schedule.steps.end())) break;
  }
  if (!run.words().empty()) return run.words();
  if (auto words = run.end(); !words.empty()) return words;
  if (!schedule.steps.empty() && run.done() == 0) return "nothing was answered";
  return {};
}

TEST(Directories, stay_whole_under_several_gateways_and_power_cuts) {
  const auto finding = find_violation(Directories(), Seeds::from_environment(160));
  EXPECT_FALSE(finding) << finding->to_string();
}

class Planted : public testing::TestWithParam<const char*> {};

TEST_P(Planted, is_noticed) {
  EXPECT_EQ(unnoticed(GetParam(), {.first = 0, .count = 20}, Directories()), "");
}

INSTANTIATE_TEST_SUITE_P(Faults, Planted, testing::Values("2.1 a split counts what it moves twice"));

}  // namespace
}  // namespace kiseki::sim
