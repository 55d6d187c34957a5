#pragma once

#include <optional>
#include <string_view>

#include "sim/simulation.h"

namespace kiseki::sim {

/// What kind of trouble a cluster is put through.
struct ClusterProfile {
  std::string_view name;
  std::size_t nodes = 3;
  std::size_t users_a_node = 2;
  Duration length = std::chrono::seconds(25);
  std::size_t steps = 14;
  /// What is drawn, each as often as it stands here.
  std::vector<std::string_view> mix{};
};

/// Whole nodes with their shards, replicated, over simulated disks, stores, clocks and network, with users
/// who run transactions over several shards; checked from outside: see docs/simulation.md. Steps: see `take`
/// of the source.
class ClusterSimulation final : public Simulation {
 public:
  /// Of all profiles in turn.
  ClusterSimulation() = default;
  /// Of the one with that name.
  explicit ClusterSimulation(std::string_view profile) : profile_(profile) {}

  Schedule plan(std::uint64_t seed) const override;
  std::string run(const Schedule& schedule, Trace& trace) const override;

  static const std::vector<ClusterProfile>& profiles();

 private:
  const ClusterProfile& profile_of(std::uint64_t seed) const;

  std::optional<std::string> profile_;
};

}  // namespace kiseki::sim
