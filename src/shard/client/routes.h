#pragma once

#include <mutex>
#include <optional>
#include <vector>

#include "shard/coverage.h"
#include "shard/shard_port.h"

namespace kiseki::shard::detail {

struct Route {
  ShardId id;
  SlotRange range;
  ShardPort* port = nullptr;
};

/// Which shard has which slots, as far as it is known here: complete, in order of slots; shard 0 is slot 0.
/// Its owner replaces it when a shard splits; whoever is answered `wrong_shard` or `stale` looks again a
/// moment later. Asked from every core; the ports outlive it.
class Routes {
 public:
  explicit Routes(std::vector<Route> routes) : routes_(std::move(routes)) {}
  void replace(std::vector<Route> routes);

  Route of(const LeafAddress& leaf) const { return of(slot_of(leaf)); }
  Route of(Slot slot) const;
  /// Nothing when there is no such shard.
  std::optional<Route> find(ShardId shard) const;
  Route system() const { return of(Slot{0}); }
  std::vector<Route> all() const;

 private:
  mutable std::mutex mutex_;  // asked from every core
  std::vector<Route> routes_;
};

}  // namespace kiseki::shard::detail
