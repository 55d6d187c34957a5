#include <deque>
#include <gtest/gtest.h>
#include <set>

#include "raft/log.h"
#include "sim/simulated_clock.h"
#include "sim/simulated_disk.h"

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
    result = operation.kind == Operation::Kind::create ? co_await log.create(operation.group, meta)
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
      EXPECT_EQ(entry.index, model.last() + 1);
      model.entries.emplace_back(entry.term, as_text(entry.data));
    }
  }
  return models;
}

/// A node that appends, loses power and recovers, by seed.
class CrashRun {
 public:
  explicit CrashRun(std::uint64_t seed) : rng_(seed), disk_(clock_, seed + 1, {.capacity = 16_MiB}) {}

  void run() {
    for (int life = 0; life < 4 && open(); ++life) {
      const auto operations = 1 + rng_.below(40);
      for (std::uint64_t i = 0; i < operations; ++i) {
        issue();
        if (rng_.below(3) > 0) loop_.run_for(std::chrono::microseconds(rng_.below(400)));
      }
      die();
    }
    if (!log_) open();
    if (log_) loop_.get(log_->stop());
  }

 private:
  /// Recovers, now and then with a crash in the middle of it.
  bool open() {
    while (true) {
      std::optional<Result<std::unique_ptr<Log>>> opened;
      asio::co_spawn(
          loop_.context(),
          Log::open(disk_, loop_.executor(), clock_, {.directory = "/log", .segment_size = segment_size}),
          [&](const std::exception_ptr&, Result<std::unique_ptr<Log>> log) { opened = std::move(log); });
      if (rng_.below(4) == 0) {
        loop_.run_for(std::chrono::microseconds(rng_.below(5000)));
        disk_.crash();
        loop_.run_until([&] { return opened.has_value(); });
        if (*opened) loop_.get((**opened)->stop());
        continue;
      }
      loop_.run_until([&] { return opened.has_value(); });
      EXPECT_TRUE(*opened) << opened->error().to_string();
      if (!*opened) return false;
      log_ = std::move(**opened);
      return check(to_models(log_->take_recovered()));
    }
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
    ADD_FAILURE() << "the log holds what was never there, or lost what was acknowledged";
    return false;
  }

  void issue() {
    Operation operation = plan();
    operation.apply(planned_);
    operations_.push_back(std::move(operation));
    loop_.spawn(carry_out(*log_, operations_.back()));
  }

  Operation plan() {
    const GroupId group(1 + static_cast<std::uint32_t>(rng_.below(3)));
    for (; settled_ < operations_.size() && operations_[settled_].done; ++settled_) {
      operations_[settled_].apply(durable_);
    }
    // A group is used from the answer to its creation until it is erased, and erased when nothing else of it
    // is under way.
    if (!durable_.contains(group) || !planned_.contains(group)) {
      const bool is_free = durable_.contains(group) == planned_.contains(group);
      return create(is_free ? group : GroupId(100 + next_group_++));
    }
    const Model& planned = planned_.at(group);
    Index& commit = commit_[group];  // durable, and nothing under way replaces it
    commit = std::max(commit, planned.base);
    if (durable_.at(group) == planned && rng_.below(2) == 0) commit = planned.last();
    if (rng_.below(12) == 0 && durable_.at(group) == planned) {
      commit_.erase(group);
      return {.kind = Operation::Kind::erase, .group = group, .index = 0, .term = 0, .payloads = {}};
    }
    if (rng_.below(8) == 0 && commit > planned.base) {
      const Index through = planned.base + 1 + rng_.below(commit - planned.base);
      return {.kind = Operation::Kind::compact, .group = group, .index = through, .term = 1, .payloads = {}};
    }
    return append(group, planned, commit);
  }

  Operation create(GroupId group) {
    return {
        .kind = Operation::Kind::create, .group = group, .index = rng_.below(10), .term = 1, .payloads = {}};
  }

  Operation append(GroupId group, const Model& planned, Index commit) {
    Operation append{.group = group, .index = planned.last() + 1, .term = planned.term + 1, .payloads = {}};
    if (rng_.below(6) == 0) append.index = commit + 1 + rng_.below(planned.last() - commit + 1);
    for (auto count = 1 + rng_.below(4); count > 0; --count) {
      append.payloads.emplace_back(rng_.below(3) == 0 ? rng_.below(3000) : rng_.below(50),
                                   static_cast<char>('a' + rng_.below(26)));
    }
    return append;
  }

  void die() {
    rng_.below(3) == 0 ? disk_.kill() : disk_.crash();
    loop_.get(log_->stop());
    loop_.run_for(std::chrono::seconds(3));
    log_.reset();
    settled_ = 0;
    commit_.clear();
  }

  sim::SimulatedLoop loop_;
  sim::SimulatedClock clock_{loop_};
  SeededRng rng_;
  sim::SimulatedDisk disk_;
  std::unique_ptr<Log> log_;
  std::deque<Operation> operations_;  // since the last recovery
  Models models_;                     // at the last recovery
  Models planned_;                    // after all operations
  Models durable_;                    // after those answered
  std::size_t settled_ = 0;
  std::map<GroupId, Index> commit_;
  std::uint32_t next_group_ = 0;
};

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(LogCrash, nothing_acknowledged_is_lost_and_nothing_else_appears) {
  const bool one = std::getenv("KISEKI_SEED") != nullptr;
  const std::uint64_t first = from_environment("KISEKI_SEED", 0);
  const std::uint64_t count = one ? 1 : from_environment("KISEKI_SEEDS", 400);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE(fmt::format("KISEKI_SEED={}", seed));
    CrashRun(seed).run();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace kiseki::raft
