#pragma once

#include <set>

#include "shard/detail/registry.h"
#include "shard/detail/resolver.h"

namespace kiseki::shard::detail {

/// Ends the transactions nobody meets: those of fenced sessions, and those prepared long ago. Then forgets
/// the fenced sessions, and fences everywhere who lost a lock in one shard.
class Sweeper {
 public:
  static constexpr Duration interval = std::chrono::seconds(1);
  static constexpr Duration age_max = std::chrono::seconds(20);  ///< Of what is prepared; then it is ended.
  Sweeper(const Routes& routes, Clock& clock)
      : routes_(routes), clock_(clock), registry_(routes), resolver_(routes, {}) {}

  Task<Result<>> sweep();
  /// Fences the sessions that have been silent for a term.
  Task<Result<>> expire();

 private:
  /// Of all shards.
  struct Seen {
    std::set<SessionId> standing;  ///< Have prepared something.
    std::set<SessionId> fenced;    ///< In one shard or more.
  };
  /// The slots it has looked at.
  Task<Result<SlotRange>> sweep_shard(Route route, const GoneSessions& gone, Seen& seen);
  /// Takes away what a deleted namespace has left.
  Task<Result<>> clear(Route route, Remains::Some remains);
  Task<Result<>> unlock(Route route, std::vector<Row> locks);
  Task<Result<>> erase(Route route, Transaction transaction);
  /// Fences everywhere who is fenced somewhere, forgets of whom nothing is left.
  Task<Result<>> follow(const SessionTable& table, const Seen& seen);
  bool is_old(Stamp prepared) const;

  const Routes& routes_;
  Clock& clock_;
  Registry registry_;
  Resolver resolver_;
};

}  // namespace kiseki::shard::detail
