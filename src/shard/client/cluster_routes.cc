#include "shard/client/cluster_routes.h"

namespace kiseki::shard::detail {

ClusterRoutes::ClusterRoutes(ReplicaNetwork& network, Clock& clock) : network_(network), clock_(clock) {
  routes_ = std::make_unique<Routes>(routes_of(ShardMap{}));
}

void ClusterRoutes::take(const ShardMap& map) { routes_->replace(routes_of(map)); }

std::vector<Route> ClusterRoutes::routes_of(const ShardMap& map) {
  std::vector<Route> routes;
  for (const auto& [id, range] : map.shards) {
    auto& port = ports_[id];
    if (port == nullptr) port = std::make_unique<GroupPort>(id, network_, clock_);
    routes.push_back({.id = id, .range = range, .port = port.get()});
  }
  return routes;
}

}  // namespace kiseki::shard::detail
