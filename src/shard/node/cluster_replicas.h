#pragma once

#include "shard/client/replica_network.h"
#include "shard/node/local_replicas.h"

namespace kiseki::shard::detail {

/// The replicas of a cluster as one of its nodes reaches them: its own at once.
class ClusterReplicas final : public ReplicaNetwork {
 public:
  /// Both outlive every call.
  ClusterReplicas(const LocalReplicas& local, NodeChannel& channel)
      : local_(local), remote_(local.node(), channel) {}

  std::vector<raft::NodeId> nodes() const override;
  Task<Result<Reply>> call(raft::NodeId node, ShardId shard, Request request, Duration limit) override;

 private:
  const LocalReplicas& local_;
  RemoteReplicas remote_;
};

/// Serves calls in bytes, those of one caller within a bound.
class CallServer {
 public:
  static constexpr std::size_t under_way_max = 4096;

  explicit CallServer(const LocalReplicas& local) : local_(local) {}
  Task<std::string> serve(std::string call);

 private:
  bool begin(std::uint64_t caller);
  void end(std::uint64_t caller);

  const LocalReplicas& local_;
  std::mutex mutex_;  // calls come from every core
  std::map<std::uint64_t, std::size_t> under_way_;
};

}  // namespace kiseki::shard::detail
