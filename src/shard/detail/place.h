#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "raft/log.h"
#include "raft/replica.h"
#include "shard/detail/hop.h"
#include "shard/detail/local_port.h"
#include "shard/detail/routes.h"
#include "shard/detail/snapshots.h"
#include "shard/node.h"

namespace kiseki::shard::detail {

/// One shard of a node with its replica, on its core. Calls come from any core.
class Place {
 public:
  /// What a place works with; all of it outlives the place.
  struct Services {
    kv::KvStore& store;
    raft::Log& log;
    BlockingPool& pool;
    CoreServices core;
    std::function<void()> on_change{};     ///< See `Shard::on_change`; on the place's core.
    raft::Transport* transport = nullptr;  ///< Null: groups of this node alone.
    raft::NodeId node = 1;
  };
  /// Recovers the shard; alone, it has elected itself and applied what its log holds.
  static Task<Result<std::unique_ptr<Place>>> open(ShardId shard, std::optional<raft::Recovered> recovered,
                                                   Services services);

  Task<Route> route() { return hop(core_.executor, route_here()); }
  ShardId id() const noexcept { return id_; }
  ShardPort& port() noexcept { return port_; }
  /// On the place's core.
  raft::Replica& replica() noexcept { return *replica_; }
  const Shard& shard() const noexcept { return *shard_; }
  Task<Node::ShardStatus> status();
  Task<std::optional<Error>> failure();
  Task<> set_room(bool has_room);
  /// Lets the log forget what the store holds durably.
  Task<Result<>> compact();
  /// Refuses new calls, and returns when none is under way.
  Task<> quiet();
  Task<> stop();

 private:
  Place(std::unique_ptr<Shard> shard, Services services);

  Task<Route> route_here();
  Task<Node::ShardStatus> status_here();
  Task<std::optional<Error>> failure_here();
  Task<> set_room_here(bool has_room);
  Task<> quiet_here();

  const ShardId id_;
  CoreServices core_;
  std::unique_ptr<Shard> shard_;
  LocalPort port_;
  ShardSnapshots snapshots_;
  std::unique_ptr<raft::Replica> replica_;
  std::unique_ptr<ReplicaJournal> journal_;
};

/// Every shard's log begins so: one entry in the past, one voter.
raft::SnapshotMeta first_base();

}  // namespace kiseki::shard::detail
