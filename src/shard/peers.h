#pragma once

#include <vector>

#include "base/clock.h"
#include "raft/transport.h"
#include "shard/key.h"

namespace kiseki::shard {

class ShardPort;

/// What a node says of its time.
struct Clocks {
  WallTime wall;
  Stamp newest;  ///< The shards there have come so far.
};

/// The other nodes of a cluster, as one of them reaches them. Calls come from every core; it outlives the
/// node.
class Peers {
 public:
  virtual ~Peers() = default;
  virtual std::vector<raft::NodeId> nodes() const = 0;
  /// Between the replicas of a shard, whose group has the shard's id. What arrives goes to
  /// `Node::receive` and `Node::receive_snapshot`.
  virtual raft::Transport& transport() = 0;
  /// The shard as that node serves it (`Node::port`), for as long as this lives. Each call arrives there at
  /// most once and ends in bounded time: `timed_out` or `unavailable` when there is no answer, `not_leader`
  /// where the node has no such shard.
  virtual ShardPort& port(raft::NodeId node, ShardId shard) = 0;
  /// What `Node::clocks` says there, read between the call and its return.
  virtual Task<Result<Clocks>> clocks(raft::NodeId node) = 0;
};

}  // namespace kiseki::shard
