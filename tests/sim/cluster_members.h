#pragma once

#include "sim/cluster.h"

namespace kiseki::sim {

/// Which nodes are to have replicas of every shard, and the steps by which each shard gets there, as an
/// operator takes them.
class ClusterMembers {
 public:
  ClusterMembers(SimulatedCluster& cluster, std::size_t founders, std::uint64_t seed);
  ~ClusterMembers() { stop(); }

  const std::set<raft::NodeId>& wanted() const { return wanted_; }
  /// A new node: as a learner first.
  void join();
  /// One that has a replica now, unless fewer than three would be left.
  void leave(std::uint64_t argument);
  /// One that has left, with the disk it had: as another replica of each shard.
  void come_back(std::uint64_t argument);
  /// A node's disk is lost, and a new node takes its place in one joint step. Only while all others are
  /// whole: what a majority had would be at stake.
  void replace(std::uint64_t argument);
  /// One step for every shard that is not there yet.
  void work();
  /// Every shard has its members.
  bool is_done();
  void stop();

 private:
  /// Has nearly all that the leader has.
  bool is_near(raft::NodeId node, ShardId shard, raft::Index applied);
  void take_step(ClusterNode& at, const shard::Node::ShardStatus& leader);
  Task<> change(ClusterNode& at, ShardId shard, std::vector<raft::MemberChange> changes);
  Task<> transfer(ClusterNode& at, ShardId shard, raft::NodeId to);

  SimulatedCluster& cluster_;
  SeededRng rng_;
  std::set<raft::NodeId> wanted_;
  BootTime next_{};
  Scope scope_;
};

}  // namespace kiseki::sim
