#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace kiseki::sim {

/// One thing that happens to a simulated system from outside, at a moment of virtual time after its start.
struct Step {
  Duration at{};
  std::string what;            ///< The name of a fault or a job that the simulation knows.
  std::uint64_t argument = 0;  ///< What the simulation makes of it: a node, a length, a seed.
};

/// What happens in one run. Any part of the steps, in order, is a schedule too: that is how a failing one is
/// made smaller.
struct Schedule {
  std::uint64_t seed = 0;  ///< Of everything else that is drawn in the run.
  std::vector<Step> steps;
};

/// What a run did, line by line with its virtual time; kept only when asked for.
class Trace {
 public:
  explicit Trace(bool is_kept) noexcept : is_kept_(is_kept) {}
  bool is_kept() const noexcept { return is_kept_; }
  /// `words` is called only when the trace is kept.
  template <class Words>
  void note(BootTime now, const Words& words) {
    if (is_kept_) append(now, words());
  }
  const std::string& text() const noexcept { return text_; }

 private:
  void append(BootTime now, std::string_view words);
  bool is_kept_;
  std::string text_;
};

/// A system under test with its checkers.
class Simulation {
 public:
  virtual ~Simulation() = default;
  virtual Schedule plan(std::uint64_t seed) const = 0;
  /// What went wrong, or nothing. The same schedule gives the same run, the same words, the same trace.
  virtual std::string run(const Schedule& schedule, Trace& trace) const = 0;
};

/// Which seeds to run: `--seeds` or KISEKI_SEEDS how many, `--seed` or KISEKI_SEED the first. Without the
/// latter a base drawn anew, so that every run of the tests tries other ones.
///
/// `count_otherwise` is what an optimised build runs; one with sanitizers, which is some ten times slower,
/// runs a sixteenth of it.
struct Seeds {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  static Seeds from_environment(std::uint64_t count_otherwise);
};

/// A seed whose run went wrong, its smallest schedule that still does, and the trace of that one.
struct Finding {
  Schedule schedule;
  std::string words;
  std::string trace;
  std::string to_string() const;
};

/// The first seed that goes wrong; nothing when all are clean.
std::optional<Finding> find_violation(const Simulation& simulation, Seeds seeds);

/// Plants `fault`, runs seeds until one goes wrong, and prints which and how. Why the fault was not noticed;
/// empty when it was. Only in builds that have planted faults.
std::string unnoticed(std::string_view fault, Seeds seeds, const Simulation& simulation);
/// `words_of` makes the run of a seed and says what went wrong in it.
std::string unnoticed(std::string_view fault, Seeds seeds,
                      const std::function<std::string(std::uint64_t seed)>& words_of);

/// As few steps as still go wrong, by leaving out ever smaller parts, within `runs_max` runs.
Schedule minimise(const Simulation& simulation, Schedule schedule, std::size_t runs_max);

}  // namespace kiseki::sim
