#pragma once

#include "raft/testing/group_client.h"
#include "sim/simulation.h"

namespace kiseki::raft {

/// What kind of trouble a group is put through.
struct GroupProfile {
  std::string_view name;
  std::size_t voters = 3;
  std::size_t learners = 0;
  std::size_t clients = 4;
  GroupClient::Habits habits{};
  Duration length = std::chrono::seconds(12);
  std::size_t steps = 14;
  /// What is drawn, each as often as it stands here.
  std::vector<std::string_view> mix{};
  sim::SimulatedNetwork::Weather weather{};
  Replica::Quiesce quiesce = Replica::Quiesce::no;
  Duration disk_latency = std::chrono::microseconds(200);  ///< At most; what is not flushed yet is at stake.
};

/// A group of replicas over simulated disks, clocks and network, with users, checked from outside: one leader
/// a term, the same entries applied everywhere, no acknowledged command lost, registers linearizable, and
/// progress once the trouble ends. Steps: see `GroupWorld::take`.
class GroupSimulation final : public sim::Simulation {
 public:
  /// Of all profiles in turn.
  GroupSimulation() = default;
  /// Of the one with that name.
  explicit GroupSimulation(std::string_view profile) : profile_(profile) {}

  sim::Schedule plan(std::uint64_t seed) const override;
  std::string run(const sim::Schedule& schedule, sim::Trace& trace) const override;

  static const std::vector<GroupProfile>& profiles();

 private:
  const GroupProfile& profile_of(std::uint64_t seed) const;

  std::optional<std::string> profile_;
};

}  // namespace kiseki::raft
