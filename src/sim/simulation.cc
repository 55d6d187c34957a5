#include "sim/simulation.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <random>

#include "base/planted.h"

namespace kiseki::sim {

namespace {

constexpr std::size_t minimise_runs = 200;

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr std::uint64_t slowness = 16;
#else
constexpr std::uint64_t slowness = 1;
#endif

std::optional<std::uint64_t> from_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

std::string run_quietly(const Simulation& simulation, const Schedule& schedule) {
  Trace trace(false);
  return simulation.run(schedule, trace);
}

Schedule without(const Schedule& schedule, std::size_t from, std::size_t count) {
  Schedule less{schedule.seed, {}};
  for (std::size_t i = 0; i < schedule.steps.size(); ++i) {
    if (i < from || i >= from + count) less.steps.push_back(schedule.steps[i]);
  }
  return less;
}

}  // namespace

void Trace::append(BootTime now, std::string_view words) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
  text_ += fmt::format("{:>10}.{:06} {}\n", us / 1'000'000, us % 1'000'000, words);
}

Seeds Seeds::from_environment(std::uint64_t count_otherwise) {
  const auto first = sim::from_environment("KISEKI_SEED");
  const auto count = sim::from_environment("KISEKI_SEEDS");
  return {.first = first ? *first : std::random_device()() % 1'000'000'000ULL,
          .count = count ? *count : (first ? 1 : std::max<std::uint64_t>(count_otherwise / slowness, 1))};
}

std::string Finding::to_string() const {
  std::string text =
      fmt::format("--seed {}: {}\n{} steps remain:\n", schedule.seed, words, schedule.steps.size());
  for (const Step& step : schedule.steps) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(step.at).count();
    text += fmt::format("  at {} us: {} {}\n", us, step.what, step.argument);
  }
  return text + trace;
}

Schedule minimise(const Simulation& simulation, Schedule schedule, std::size_t runs_max) {
  std::size_t runs = 0;
  for (std::size_t part = (schedule.steps.size() + 1) / 2; part > 0; part /= 2) {
    for (std::size_t from = 0; from < schedule.steps.size() && runs < runs_max;) {
      Schedule less = without(schedule, from, part);
      ++runs;
      if (run_quietly(simulation, less).empty()) {
        from += part;
      } else {
        schedule = std::move(less);
      }
    }
  }
  return schedule;
}

std::optional<Finding> find_violation(const Simulation& simulation, Seeds seeds) {
  for (std::uint64_t seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
    Schedule schedule = simulation.plan(seed);
    if (run_quietly(simulation, schedule).empty()) continue;
    Finding finding{minimise(simulation, std::move(schedule), minimise_runs), {}, {}};
    Trace trace(true);
    finding.words = simulation.run(finding.schedule, trace);
    finding.trace = trace.text();
    return finding;
  }
  return std::nullopt;
}

#ifdef KISEKI_PLANTED_FAULTS

std::string unnoticed(std::string_view fault, Seeds seeds,
                      const std::function<std::string(std::uint64_t)>& words_of) {
  const planted::Fault planted(fault);
  for (std::uint64_t seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
    const std::string words = words_of(seed);
    if (words.empty()) continue;
    if (planted.met() == 0) return fmt::format("seed {} went wrong without the fault: {}", seed, words);
    fmt::print("{}: seed {}, {} tried: {}\n", fault, seed, seed - seeds.first + 1, words);
    return {};
  }
  return fmt::format("not noticed in {} seeds, met {} times", seeds.count, planted.met());
}

std::string unnoticed(std::string_view fault, Seeds seeds, const Simulation& simulation) {
  return unnoticed(fault, seeds, [&simulation](std::uint64_t seed) {
    return run_quietly(simulation, simulation.plan(seed));
  });
}

#endif

}  // namespace kiseki::sim
