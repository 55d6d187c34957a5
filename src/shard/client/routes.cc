#include "shard/client/routes.h"

#include <algorithm>

#include "base/assert.h"

namespace kiseki::shard::detail {

void Routes::replace(std::vector<Route> routes) {
  const std::lock_guard lock(mutex_);
  routes_ = std::move(routes);
}

Route Routes::of(Slot slot) const {
  const std::lock_guard lock(mutex_);
  const auto found =
      std::ranges::find_if(routes_, [slot](const Route& route) { return slot <= route.range.last; });
  KISEKI_ASSERT(found != routes_.end() && slot >= found->range.first);
  return *found;
}

std::optional<Route> Routes::find(ShardId shard) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(routes_, shard, &Route::id);
  return found == routes_.end() ? std::nullopt : std::optional(*found);
}

std::vector<Route> Routes::all() const {
  const std::lock_guard lock(mutex_);
  return routes_;
}

}  // namespace kiseki::shard::detail
