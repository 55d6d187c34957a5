#include "shard/detail/sweeper.h"

#include "base/logging.h"

namespace kiseki::shard::detail {

Task<> Sweeper::run(Scope& scope) {
  while (co_await scope.sleep(clock_, options_.interval)) {
    const auto swept = co_await sweep();
    if (!swept && swept.error().code() != Errc::cancelled) {
      log::debug("shard", "sweep: {}", swept.error().to_string());
    }
  }
}

bool Sweeper::is_old(Stamp prepared) const {
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.wall().time_since_epoch());
  const auto then = std::chrono::milliseconds(prepared.value() >> 16);
  return now - then > options_.age_max;
}

Task<Result<SlotRange>> Sweeper::sweep_shard(Route route, const GoneSessions& gone,
                                             std::set<SessionId>& standing) {
  const auto found = co_await route.port->standing();
  if (!found) co_return fail(found.error());
  for (const auto& one : found->all) {
    standing.insert(one.holder.id.session);
    if (!gone.contains(one.holder.id.session) && !is_old(one.prepared)) continue;
    KISEKI_CO_TRY(co_await resolver_.end(*route.port, one.holder));
  }
  co_return found->range;
}

Task<Result<>> Sweeper::sweep() {
  const auto table = co_await registry_.table();
  if (!table) co_return fail(table.error());
  const auto gone = table->gone();
  std::set<SessionId> standing;
  Coverage looked;
  while (const auto slot = looked.missing()) {
    const auto range = co_await sweep_shard(routes_.of(*slot), gone, standing);
    if (!range) co_return fail(range.error());
    if (!range->contains(*slot)) co_return fail(Errc::unavailable, "a shard is being split");
    looked.add(*range);
  }
  // A fenced session prepares nothing more, so one whole look without it is enough.
  for (const auto& entry : table->sessions) {
    const bool is_fenced = entry.row.state == SessionRow::State::fenced;
    if (is_fenced && !standing.contains(entry.id)) KISEKI_CO_TRY(co_await registry_.forget(entry));
  }
  co_return Result<>{};
}

}  // namespace kiseki::shard::detail
