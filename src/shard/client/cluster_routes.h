#pragma once

#include <map>
#include <memory>

#include "shard/client/group_port.h"
#include "shard/client/routes.h"
#include "shard/client/shard_map.h"

namespace kiseki::shard::detail {

/// Routes to the shards of a cluster, each by whoever leads it. Belongs to one core; the routes are used on
/// all.
class ClusterRoutes {
 public:
  /// Before a map is known everything is asked of the system shard. Both outlive this.
  ClusterRoutes(ReplicaNetwork& network, Clock& clock);
  void take(const ShardMap& map);
  Routes& routes() noexcept { return *routes_; }

 private:
  std::vector<Route> routes_of(const ShardMap& map);

  ReplicaNetwork& network_;
  Clock& clock_;
  std::map<ShardId, std::unique_ptr<GroupPort>> ports_;
  std::unique_ptr<Routes> routes_;
};

}  // namespace kiseki::shard::detail
