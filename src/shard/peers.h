#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "raft/transport.h"
#include "shard/key.h"

namespace kiseki::shard {

/// The nodes of a cluster that serve shards, as a process reaches them that may be none of them. From every
/// core.
class NodeChannel {
 public:
  virtual ~NodeChannel() = default;
  virtual std::vector<raft::NodeId> nodes() const = 0;
  /// Brings a call (wire.h) there, at most once, and its reply back from `Node::serve`. Ends within `limit`:
  /// `timed_out` or `unavailable` when there is no answer.
  virtual Task<Result<std::string>> call(raft::NodeId node, std::string call, Duration limit) = 0;
};

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
  virtual NodeChannel& channel() = 0;
  /// Between the replicas of a shard, whose group has the shard's id. What arrives goes to
  /// `Node::receive` and `Node::receive_snapshot`.
  virtual raft::Transport& transport() = 0;
  /// What `Node::clocks` says there, read between the call and its return.
  virtual Task<Result<Clocks>> clocks(raft::NodeId node) = 0;
};

}  // namespace kiseki::shard
