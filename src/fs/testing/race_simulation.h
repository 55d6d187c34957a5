#pragma once

#include "sim/simulation.h"

namespace kiseki::fs {

/// Rounds in which two to four things happen at once on a few names of one namespace, from several gateways
/// with stale caches, one of which may die between two commits. What everybody was answered and what the rows
/// say afterwards must be explained by some order of what they did, each way being walked name by name
/// (race_model.h).
class RaceSimulation final : public sim::Simulation {
 public:
  sim::Schedule plan(std::uint64_t seed) const override;
  std::string run(const sim::Schedule& schedule, sim::Trace& trace) const override;
};

}  // namespace kiseki::fs
