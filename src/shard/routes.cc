#include "shard/detail/routes.h"

#include <algorithm>

#include "base/assert.h"

namespace kiseki::shard::detail {

const Route& Routes::of(const LeafAddress& leaf) const {
  const Slot slot = slot_of(leaf);
  const auto found =
      std::ranges::find_if(routes_, [slot](const Route& route) { return slot <= route.range.last; });
  KISEKI_ASSERT(found != routes_.end() && slot >= found->range.first);
  return *found;
}

const Route* Routes::find(ShardId shard) const {
  const auto found = std::ranges::find(routes_, shard, &Route::id);
  return found == routes_.end() ? nullptr : &*found;
}

}  // namespace kiseki::shard::detail
