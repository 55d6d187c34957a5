#pragma once

#include <string>
#include <vector>

#include "sim/simulation.h"

namespace kiseki::fs {

/// Steps of one moment are one round: `run.take` gets each, `run.end` looks at what remains. The first words
/// of what went wrong.
template <class Run>
std::string run_by_rounds(Run& run, const sim::Schedule& schedule) {
  for (std::size_t i = 0; i < schedule.steps.size();) {
    std::vector<sim::Step> round;
    const Duration at = schedule.steps[i].at;
    for (; i < schedule.steps.size() && schedule.steps[i].at == at; ++i) round.push_back(schedule.steps[i]);
    if (auto words = run.take(round); !words.empty()) return words;
  }
  return run.end();
}

}  // namespace kiseki::fs
