#pragma once

#include "sim/simulation.h"

namespace kiseki::fs {

/// Several gateways with stale caches do one thing after the other on the objects, directories and uploads of
/// one namespace; each answer is compared with a plain model. Gateways die between any two commits. In the
/// end the rows themselves must be what the model says, and nothing else.
class ModelSimulation final : public sim::Simulation {
 public:
  sim::Schedule plan(std::uint64_t seed) const override;
  std::string run(const sim::Schedule& schedule, sim::Trace& trace) const override;
};

}  // namespace kiseki::fs
