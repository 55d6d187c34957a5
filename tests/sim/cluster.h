#pragma once

#include <functional>
#include <set>

#include "sim/cluster_node.h"

namespace kiseki::sim {

/// Nodes of one cluster in one loop: what happens to them, and what must hold at every moment.
class SimulatedCluster {
 public:
  SimulatedCluster(std::size_t founders, std::uint64_t seed, Trace& trace);
  ~SimulatedCluster();

  SimulatedLoop& loop() { return loop_; }
  SimulatedNetwork& network() { return network_; }
  ClusterSurroundings& around() { return around_; }
  Trace& trace() { return around_.trace; }
  Duration passed() const { return loop_.now() - began_; }
  /// By id; those that are gone too.
  std::map<raft::NodeId, std::unique_ptr<ClusterNode>>& nodes() { return nodes_; }
  ClusterNode& node(raft::NodeId id) { return *nodes_.at(id); }
  /// A node without shards, started. Ids are never used again.
  ClusterNode& add();
  /// Any node that is not gone.
  ClusterNode* pick(std::uint64_t argument);
  std::vector<raft::NodeId> living() const;

  /// The node whose replica leads, of the highest term; null: none.
  ClusterNode* leader_of(ShardId shard);
  /// Every shard that a living node has a replica of, as its leader sees it.
  std::map<ShardId, std::pair<ClusterNode*, shard::Node::ShardStatus>> leaders();

  /// Lets time pass until then after the start, or until something is violated. Nodes that failed by
  /// themselves are started again, as by a service manager.
  void advance(Duration until);
  void later(Duration delay, std::function<void()> action);
  /// Called ever and again while time passes.
  void on_watch(std::function<void()> call) { on_watch_ = std::move(call); }

  /// Ends a node's process, and starts it again later.
  void restart(ClusterNode& node, ClusterNode::End how, Duration down);
  void start(ClusterNode& node);
  /// Everything works again, every node runs.
  void heal();
  /// From now on no node has a reason to fail, not even a silent session.
  void expect_calm() { is_calm_ = true; }

  void violate(std::string words);
  const std::string& violation() const { return violation_; }

 private:
  ClusterNode& make(raft::NodeId id);
  void introduce();
  void watch();
  void watch_leaders();

  SeededRng rng_;
  SimulatedLoop loop_;
  SimulatedNetwork network_;
  ClusterSurroundings around_;
  BootTime began_;
  std::map<raft::NodeId, std::unique_ptr<ClusterNode>> nodes_;
  std::multimap<BootTime, std::function<void()>> later_;
  std::function<void()> on_watch_;
  std::map<std::pair<ShardId, raft::Term>, raft::NodeId> led_;
  bool is_calm_ = false;
  std::string violation_;
};

}  // namespace kiseki::sim
