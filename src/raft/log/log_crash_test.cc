#include <deque>
#include <gtest/gtest.h>
#include <set>

#include "raft/log.h"
#include "sim/simulated_clock.h"
#include "sim/simulated_disk.h"
#include "sim/simulation.h"

// The log against a disk that loses power, tears writes and turns bits.

namespace kiseki::raft {
namespace {

constexpr Bytes segment_size = 64_KiB;

/// What a group should hold.
struct Model {
  Index base = 0;
  Term term = 0;                                      // of the hard state
  std::vector<std::pair<Term, std::string>> entries;  // from base + 1
  Index last() const { return base + entries.size(); }
  friend bool operator==(const Model&, const Model&) = default;
};
using Models = std::map<GroupId, Model>;

/// One call of the log, and what it does to a model.
struct Operation {
  enum class Kind { create, append, compact, erase } kind = Kind::append;
  GroupId group;
  Index index = 0;  // first entry, or the new base
  Term term = 0;
  std::vector<std::string> payloads;
  bool done = false;

  void apply(Models& models) const {
    if (kind == Kind::erase) {
      models.erase(group);
      return;
    }
    Model& model = models[group];
    if (kind == Kind::create) {
      model.base = index;
    } else if (kind == Kind::compact) {
      model.entries.erase(model.entries.begin(),
                          model.entries.begin() + static_cast<std::ptrdiff_t>(index - model.base));
      model.base = index;
    } else {
      model.entries.resize(index - model.base - 1);
      for (const auto& payload : payloads) model.entries.emplace_back(term, payload);
      model.term = term;
    }
  }
};

Task<> carry_out(Log& log, Operation& operation) {
  Result<> result;
  if (operation.kind == Operation::Kind::append) {
    Append append{.group = operation.group, .hard_state = HardState{operation.term, 1, 0}, .entries = {}};
    for (std::size_t i = 0; i < operation.payloads.size(); ++i) {
      append.entries.push_back(
          {operation.index + i, operation.term, EntryType::normal, as_view(operation.payloads[i]), nullptr});
    }
    result = co_await log.append(std::move(append));
  } else if (operation.kind == Operation::Kind::erase) {
    result = co_await log.erase(operation.group);
  } else {
    const SnapshotMeta meta{operation.index, operation.term, {.voters = {1}}};
    result = operation.kind == Operation::Kind::create ? co_await log.create(operation.group, 1, meta)
                                                       : co_await log.compact(operation.group, meta);
  }
  if (result) operation.done = true;
}

Models to_models(const std::unordered_map<GroupId, Recovered>& recovered) {
  Models models;
  for (const auto& [id, group] : recovered) {
    Model& model = models[id];
    model.base = group.base.index;
    model.term = group.hard_state.term;
    for (const Entry& entry : group.tail) {
      KISEKI_ASSERT(entry.index == model.last() + 1);
      model.entries.emplace_back(entry.term, as_text(entry.data));
    }
  }
  return models;
}

/// A node that appends, loses power and recovers.
class CrashRun {
 public:
  CrashRun(std::uint64_t seed, sim::Trace& trace)
      : trace_(trace), disk_(clock_, seed + 1, {.capacity = 16_MiB}) {}
  ~CrashRun() {
    if (log_) loop_.get(log_->stop());
  }

  /// What went wrong, or nothing.
  const std::string& take(const sim::Step& step) {
    SeededRng rng(step.argument);
    trace_.note(loop_.now(), [&] { return fmt::format("{} {}", step.what, step.argument); });
    if (step.what == "start, cut off") {
      if (log_) die(rng);
      cut_start_off(Duration(std::chrono::microseconds(rng.below(5000))));
    } else if (step.what == "power cut or kill") {
      if (log_) die(rng);
    } else if (log_ || open()) {
      issue(rng);
      if (step.what == "call and wait") loop_.run_for(std::chrono::microseconds(rng.below(400)));
    }
    return violation_;
  }

  const std::string& conclude() {
    if (!log_) open();
    return violation_;
  }

 private:
  using Opened = std::optional<Result<std::unique_ptr<Log>>>;

  void begin_to_open(Opened& opened) {
    asio::co_spawn(
        loop_.context(),
        Log::open(disk_, loop_.executor(), clock_, {.directory = "/log", .segment_size = segment_size}),
        [&opened](const std::exception_ptr&, Result<std::unique_ptr<Log>> log) { opened = std::move(log); });
  }

  void cut_start_off(Duration after) {
    Opened opened;
    begin_to_open(opened);
    loop_.run_for(after);
    disk_.crash();
    loop_.run_until([&] { return opened.has_value(); });
    if (*opened) loop_.get((**opened)->stop());
  }

  bool open() {
    Opened opened;
    begin_to_open(opened);
    loop_.run_until([&] { return opened.has_value(); });
    if (!*opened) {
      violation_ = "the log does not open: " + opened->error().to_string();
      return false;
    }
    log_ = std::move(**opened);
    const auto found = to_models(log_->take_recovered());
    if (!check(found)) violation_ = "the log holds what was never there, or lost what was acknowledged";
    return violation_.empty();
  }

  /// The log holds what some prefix of the operations makes, and every operation that was answered is in it.
  bool check(const Models& found) {
    std::size_t acknowledged = 0;
    for (std::size_t i = 0; i < operations_.size(); ++i) {
      if (operations_[i].done) acknowledged = i + 1;
    }
    for (std::size_t i = 0; i <= operations_.size(); ++i) {
      if (i >= acknowledged && found == models_) {
        operations_.clear();
        planned_ = models_;
        durable_ = models_;
        return true;
      }
      if (i < operations_.size()) operations_[i].apply(models_);
    }
    return false;
  }

  void issue(Rng& rng) {
    Operation operation = plan(rng);
    operation.apply(planned_);
    operations_.push_back(std::move(operation));
    loop_.spawn(carry_out(*log_, operations_.back()));
  }

  Operation plan(Rng& rng) {
    const GroupId group(1 + static_cast<std::uint32_t>(rng.below(3)));
    for (; settled_ < operations_.size() && operations_[settled_].done; ++settled_) {
      operations_[settled_].apply(durable_);
    }
    // A group is used from the answer to its creation until it is erased, and erased when nothing else of it
    // is under way.
    if (!durable_.contains(group) || !planned_.contains(group)) {
      const bool is_free = durable_.contains(group) == planned_.contains(group);
      return create(rng, is_free ? group : GroupId(100 + next_group_++));
    }
    const Model& planned = planned_.at(group);
    Index& commit = commit_[group];  // durable, and nothing under way replaces it
    commit = std::max(commit, planned.base);
    if (durable_.at(group) == planned && rng.below(2) == 0) commit = planned.last();
    if (rng.below(12) == 0 && durable_.at(group) == planned) {
      commit_.erase(group);
      return {.kind = Operation::Kind::erase, .group = group, .index = 0, .term = 0, .payloads = {}};
    }
    if (rng.below(8) == 0 && commit > planned.base) {
      const Index through = planned.base + 1 + rng.below(commit - planned.base);
      return {.kind = Operation::Kind::compact, .group = group, .index = through, .term = 1, .payloads = {}};
    }
    return append(rng, group, planned, commit);
  }

  Operation create(Rng& rng, GroupId group) {
    return {
        .kind = Operation::Kind::create, .group = group, .index = rng.below(10), .term = 1, .payloads = {}};
  }

  Operation append(Rng& rng, GroupId group, const Model& planned, Index commit) {
    Operation append{.group = group, .index = planned.last() + 1, .term = planned.term + 1, .payloads = {}};
    if (rng.below(6) == 0) append.index = commit + 1 + rng.below(planned.last() - commit + 1);
    for (auto count = 1 + rng.below(4); count > 0; --count) {
      append.payloads.emplace_back(rng.below(3) == 0 ? rng.below(3000) : rng.below(50),
                                   static_cast<char>('a' + rng.below(26)));
    }
    return append;
  }

  void die(Rng& rng) {
    rng.below(3) == 0 ? disk_.kill() : disk_.crash();
    loop_.get(log_->stop());
    loop_.run_for(std::chrono::seconds(3));
    log_.reset();
    settled_ = 0;
    commit_.clear();
  }

  sim::Trace& trace_;
  sim::SimulatedLoop loop_;
  sim::SimulatedClock clock_{loop_};
  sim::SimulatedDisk disk_;
  std::unique_ptr<Log> log_;
  std::deque<Operation> operations_;  // since the last recovery
  Models models_;                     // at the last recovery
  Models planned_;                    // after all operations
  Models durable_;                    // after those answered
  std::size_t settled_ = 0;
  std::map<GroupId, Index> commit_;
  std::uint32_t next_group_ = 0;
  std::string violation_;
};

class CrashSimulation final : public sim::Simulation {
 public:
  sim::Schedule plan(std::uint64_t seed) const override {
    SeededRng rng(seed);
    sim::Schedule schedule{.seed = seed, .steps = {}};
    const auto add = [&](const char* what) { schedule.steps.push_back({{}, what, rng.next()}); };
    for (int life = 0; life < 4; ++life) {
      while (rng.below(4) == 0) add("start, cut off");
      for (auto calls = 1 + rng.below(rng.below(3) == 0 ? 3 : 40); calls > 0; --calls)
        add(rng.below(3) == 0 ? "call" : "call and wait");
      add("power cut or kill");
    }
    return schedule;
  }

  std::string run(const sim::Schedule& schedule, sim::Trace& trace) const override {
    CrashRun run(schedule.seed, trace);
    for (const sim::Step& step : schedule.steps) {
      if (const std::string& words = run.take(step); !words.empty()) return words;
    }
    return run.conclude();
  }
};

TEST(LogCrash, nothing_acknowledged_is_lost_and_nothing_else_appears) {
  const auto found = sim::find_violation(CrashSimulation(), sim::Seeds::from_environment(12'800));
  if (found) FAIL() << found->to_string();
}

class PlantedInLog : public testing::TestWithParam<const char*> {};

TEST_P(PlantedInLog, is_noticed) {
  EXPECT_EQ(sim::unnoticed(GetParam(), {.first = 0, .count = 400}, CrashSimulation()), "");
}

INSTANTIATE_TEST_SUITE_P(LogCrash, PlantedInLog,
                         testing::Values("acknowledged before an earlier flush",
                                         "a later batch proves one under way", "erased group recovered"));

}  // namespace
}  // namespace kiseki::raft
