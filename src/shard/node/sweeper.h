#pragma once

#include <map>
#include <set>

#include "shard/client/registry.h"
#include "shard/client/resolver.h"

namespace kiseki::shard::detail {

/// Ends the transactions nobody meets: those of fenced sessions, and those that stay prepared. Then forgets
/// the fenced sessions, and fences everywhere who lost a lock in one shard.
class Sweeper {
 public:
  static constexpr Duration interval = std::chrono::seconds(1);
  static constexpr Duration patience = std::chrono::seconds(20);  ///< With what stays prepared.
  Sweeper(const Routes& routes, Clock& clock)
      : routes_(routes), clock_(clock), registry_(routes), resolver_(routes, {}) {}

  Task<Result<>> sweep();
  /// Fences the sessions that have been silent for a term.
  Task<Result<>> expire();

 private:
  /// Of all shards.
  struct Seen {
    std::set<TransactionId> prepared;
    std::set<SessionId> fenced;  ///< In one shard or more.
    bool has_prepared(SessionId session) const {
      const auto first = prepared.lower_bound({session, 0});
      return first != prepared.end() && first->session == session;
    }
  };
  /// The slots it has looked at.
  Task<Result<SlotRange>> sweep_shard(Route route, const GoneSessions& gone, Seen& seen);
  /// Takes away what a deleted namespace has left.
  Task<Result<>> clear(Route route, DeletedRows deleted);
  Task<Result<>> unlock(Route route, std::vector<Row> locks);
  Task<Result<>> erase(Route route, Transaction transaction);
  /// Fences everywhere who is fenced somewhere, forgets of whom nothing is left.
  Task<Result<>> follow(const SessionTable& table, const Seen& seen);

  const Routes& routes_;
  Clock& clock_;
  Registry registry_;
  Resolver resolver_;
  std::map<TransactionId, BootTime> met_;  // what is prepared, since when it is known here
};

}  // namespace kiseki::shard::detail
