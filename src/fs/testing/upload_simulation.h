#pragma once

#include "sim/simulation.h"

namespace kiseki::fs {

/// Rounds in which one upload is completed, aborted and given other parts at once, from several gateways, one
/// of which may die between two commits: whoever is told that it worked can be believed, and nothing is left
/// over.
class UploadSimulation final : public sim::Simulation {
 public:
  sim::Schedule plan(std::uint64_t seed) const override;
  std::string run(const sim::Schedule& schedule, sim::Trace& trace) const override;
};

}  // namespace kiseki::fs
