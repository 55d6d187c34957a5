#pragma once

#include <mutex>
#include <optional>
#include <vector>

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

/// How much of the key space has answered a question to all shards. An answer speaks for the slots its shard
/// had when it was given; whoever asks goes on until no slot is missing, whatever splits meanwhile.
class Coverage {
 public:
  void add(SlotRange range) { ranges_.push_back(range); }
  /// The first slot nobody has answered for; nothing: all have.
  std::optional<Slot> missing() const;

 private:
  std::vector<SlotRange> ranges_;
};

}  // namespace kiseki::shard::detail
