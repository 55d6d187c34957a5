#pragma once

#include <vector>

#include "shard/peers.h"
#include "shard/shard_port.h"

namespace kiseki::shard::detail {

/// The replicas of all shards, each by its shard and node. From every core.
class ReplicaNetwork {
 public:
  virtual ~ReplicaNetwork() = default;
  virtual std::vector<raft::NodeId> nodes() const = 0;
  /// As `ShardPort::call`; `not_leader` where the node has no replica of the shard.
  virtual Task<Result<Reply>> call(raft::NodeId node, ShardId shard, Request request, Duration limit) = 0;
};

/// On other nodes, by calls in bytes.
class RemoteReplicas final : public ReplicaNetwork {
 public:
  /// `caller` is this node, or the process without one; `channel` outlives every call.
  RemoteReplicas(std::uint64_t caller, NodeChannel& channel) : caller_(caller), channel_(channel) {}

  std::vector<raft::NodeId> nodes() const override { return channel_.nodes(); }
  Task<Result<Reply>> call(raft::NodeId node, ShardId shard, Request request, Duration limit) override;

 private:
  const std::uint64_t caller_;
  NodeChannel& channel_;
};

}  // namespace kiseki::shard::detail
