#pragma once

#include <functional>
#include <memory>

#include "base/scope.h"
#include "shard/client/cluster_routes.h"
#include "shard/client/shard_map.h"
#include "shard/node/local_replicas.h"

namespace kiseki::shard::detail {

/// The key space as a node knows it: what its own replicas show, joined with what the system shard keeps for
/// all. Looks around for what splits and other nodes have changed, and makes the routes and the replicas here
/// follow. Belongs to the node's first core.
class MapKeeper {
 public:
  /// What it works with; all of it outlives the keeper.
  struct Services {
    LocalReplicas& replicas;
    ReplicaNetwork* network;  ///< Null: a node alone, whose routes lead to its own replicas.
    Clock& clock;
    Scope& scope;  ///< Ends waits.
    /// Set when a replica here has changed: there is something to look for.
    std::shared_ptr<::kiseki::Event> changed;
    std::function<void(Error)> fail;  ///< The node has to stop.
  };
  explicit MapKeeper(Services services);

  /// From the replicas that are open. A node alone also records what it has in the system shard.
  Task<Result<>> open();
  /// As long as this.
  const Routes& routes() const { return cluster_ ? cluster_->routes() : *own_; }
  /// Until the scope stops: opens what splits have made, lets go of what was removed, and begins what the
  /// node was made a member of.
  Task<> look_around();
  /// See `Node::split`.
  Task<Result<ShardId>> split(ShardId shard, Slot first);

 private:
  bool is_alone() const { return services_.network == nullptr; }
  Task<Result<>> look_once();
  Task<Result<>> look_at_peers();
  /// The routes, as the map is now.
  void take_routes();
  /// Waits until the shard that a split has made is open here.
  Task<Result<>> await_child(ShardId child);

  const Services services_;
  ShardMap map_;
  std::unique_ptr<ClusterRoutes> cluster_;  // to the shards of all nodes
  std::unique_ptr<Routes> own_;             // of a node alone
};

}  // namespace kiseki::shard::detail
