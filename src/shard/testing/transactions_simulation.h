#pragma once

#include "sim/simulation.h"

namespace kiseki::shard::detail {

/// Users that die, over messages that are lost, late or repeated, run transactions over several shards of a
/// node that crashes, splits its shards and moves to stores built from snapshots.
class TransactionsSimulation final : public sim::Simulation {
 public:
  sim::Schedule plan(std::uint64_t seed) const override;
  std::string run(const sim::Schedule& schedule, sim::Trace& trace) const override;
};

}  // namespace kiseki::shard::detail
