#pragma once

#include "shard/testing/cluster_peers.h"
#include "sim/crashable_kv.h"
#include "sim/simulated_disk.h"
#include "sim/simulation.h"

namespace kiseki::sim {

/// What the simulated nodes of a cluster share.
struct ClusterSurroundings {
  SimulatedLoop& loop;
  SimulatedNetwork& network;
  Trace& trace;
  std::vector<raft::NodeId> founders;
  shard::CallNumbers calls{};
};

/// A node with its disk, store and clock, which outlive any number of starts, and its end of the network.
class ClusterNode {
 public:
  using Statuses = std::vector<shard::Node::ShardStatus>;
  enum class End : std::uint8_t {
    power_cut,  ///< Everything not synced is lost, in part.
    kill,       ///< Files keep what was completed; what the process held is gone.
  };
  /// Counts a call of the node's process that is under way, so that the process outlives it.
  class Visit {
   public:
    explicit Visit(ClusterNode& node) : node_(node) { ++node_.visits_; }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    ~Visit() { --node_.visits_; }

   private:
    ClusterNode& node_;
  };

  ClusterNode(ClusterSurroundings& around, raft::NodeId id, std::uint64_t seed);
  ~ClusterNode();

  raft::NodeId id() const { return id_; }
  bool is_up() const { return running_ != nullptr && running_->is_up; }
  /// It never comes back.
  bool is_gone() const { return is_gone_; }
  /// Of which life of the process.
  std::uint64_t life() const { return life_; }

  /// Opens what the disk holds; the first time makes the node.
  Result<> start();
  void end(End how);
  /// As a machine that is thrown away.
  void destroy();
  /// The other nodes that it may ask.
  void set_peers(std::vector<raft::NodeId> nodes);

  shard::Node& shards() { return *running_->shards; }
  shard::CoreServices core() { return {around_.loop.executor(), &clock_}; }
  /// Nothing while it is down.
  Statuses statuses();
  /// Why the process must be started anew.
  std::optional<Error> failure() const;

  SimulatedDisk& disk() { return disk_; }
  CrashableKv& store() { return store_; }
  SimulatedClock& clock() { return clock_; }
  /// While set, files and the store do not grow.
  void set_full(bool is_full);

 private:
  /// What a start makes and the end takes; each outlives those below it.
  struct Running {
    Running(shard::ClusterPeers::Services services, raft::NodeId id) : peers(services, id) {}
    shard::ClusterPeers peers;
    std::unique_ptr<raft::Log> log;
    std::unique_ptr<shard::Node> shards;
    bool is_up = false;
  };
  Task<Result<>> open(Running& running);
  void stop();

  ClusterSurroundings& around_;
  const raft::NodeId id_;
  SeededRng rng_;
  SimulatedClock clock_;
  SimulatedDisk disk_;
  CrashableKv store_;
  BlockingPool pool_{0};
  std::vector<raft::NodeId> peers_;
  std::uint64_t life_ = 0;
  std::size_t visits_ = 0;
  bool is_gone_ = false;
  std::unique_ptr<Running> running_;
};

}  // namespace kiseki::sim
