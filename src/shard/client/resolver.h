#pragma once

#include "base/clock.h"
#include "shard/client/routes.h"

namespace kiseki::shard::detail {

/// Settles transactions that stand in somebody's way (rules 4.2 and 4.3): asks the shard of their primary,
/// aborts them there after a wait, and carries the answer out where they were met.
class Resolver {
 public:
  struct Patience {
    Duration old = std::chrono::seconds(1);          ///< Before an older or equal one is aborted.
    Duration young = std::chrono::milliseconds(10);  ///< Before an older transaction aborts a younger one.
  };
  Resolver(const Routes& routes, Patience patience) : routes_(routes), patience_(patience) {}

  /// Carries out what is decided, and returns whether anything may have changed at `at`. A pending one is
  /// left alone.
  Task<Result<bool>> carry_out(ShardPort& at, Holder holder) const;
  /// Waits for the holder, then ends it. `asking` is who waits; nothing: it holds no locks.
  Task<Result<>> make_way(ShardPort& at, Holder holder, std::optional<Holder> asking) const;
  /// Ends it now: as it was decided, or aborted.
  Task<Result<>> end(ShardPort& at, Holder holder) const;

 private:
  ShardPort& primary(const Holder& holder) const { return *routes_.of(holder.primary.leaf).port; }
  Task<Result<>> resolve(ShardPort& at, Holder holder, Verdict verdict, Stamp stamp) const;
  Duration patience(const Holder& holder, const std::optional<Holder>& asking) const;

  const Routes& routes_;
  Patience patience_;
};

}  // namespace kiseki::shard::detail
