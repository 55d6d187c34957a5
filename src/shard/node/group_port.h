#pragma once

#include <atomic>

#include "shard/node/local_replicas.h"

namespace kiseki::shard::detail {

/// The replicas of one shard as one port. Asks first whoever answered last, beginning with this node; a
/// replica that does not lead has done nothing, so the next one is asked. After any other error the outcome
/// is unknown and the caller's to find out; its next call begins with another replica.
class GroupPort final : public ShardPort {
 public:
  /// `replicas` are those of this node; they and `peers` outlive every call.
  GroupPort(ShardId shard, const LocalReplicas& replicas, Peers& peers);

  Task<Result<Reply>> call(Request request) override;

 private:
  /// This node and its peers, in the order to ask.
  std::vector<raft::NodeId> order() const;
  /// Null when this node has no replica.
  ShardPort* port_of(raft::NodeId node) const;

  const ShardId shard_;
  const LocalReplicas& replicas_;
  Peers& peers_;
  std::atomic<raft::NodeId> favourite_;  // asked from every core; a hint
};

}  // namespace kiseki::shard::detail
