#pragma once

#include <vector>

#include "shard/detail/shard_port.h"

namespace kiseki::shard::detail {

struct Route {
  ShardId id;
  SlotRange range;
  ShardPort* port = nullptr;
};

/// Which shard has which slots. Complete, in order of slots; shard 0 is slot 0.
class Routes {
 public:
  explicit Routes(std::vector<Route> routes) : routes_(std::move(routes)) {}
  const Route& of(const LeafAddress& leaf) const;
  /// Nothing when there is no such shard.
  const Route* find(ShardId shard) const;
  const Route& system() const { return routes_.front(); }
  const std::vector<Route>& all() const noexcept { return routes_; }

 private:
  std::vector<Route> routes_;
};

}  // namespace kiseki::shard::detail
