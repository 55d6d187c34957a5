#include "shard/node/sweeper.h"

#include "base/logging.h"
#include "base/planted.h"

namespace kiseki::shard::detail {

namespace {
/// Forgotten in one sweep.
constexpr std::size_t gone_max = 1024;
}  // namespace

Task<Result<>> Sweeper::expire() {
  const auto silent = co_await registry_.silent();
  if (!silent) co_return fail(silent.error());
  for (const auto& entry : *silent) {
    log::warning("shard", "session {} has not been heard for too long: it is fenced", entry.id.value());
    KISEKI_CO_TRY(co_await registry_.fence(entry));
  }
  co_return Result<>{};
}

Task<Result<SlotRange>> Sweeper::sweep_shard(Route route, const GoneSessions& gone, Seen& seen) {
  auto found = co_await route.port->ask(SweepRequest{});
  if (!found) co_return fail(found.error());
  seen.fenced.insert(found->fenced.begin(), found->fenced.end());
  for (const auto& one : found->prepared) {
    const TransactionId id = one.holder.id;
    seen.prepared.insert(id);
    const BootTime since = met_.try_emplace(id, clock_.now()).first->second;
    if (!gone.contains(id.session) && clock_.now() - since <= patience) continue;
    KISEKI_CO_TRY(co_await resolver_.end(*route.port, one.holder));
  }
  if (!found->deleted.rows.empty()) KISEKI_CO_TRY(co_await clear(route, std::move(found->deleted)));
  std::erase_if(found->locks, [&gone](const Row& row) {
    const auto holder = lock_holder(row.key);
    return !holder || !gone.contains(*holder);
  });
  if (!found->locks.empty()) KISEKI_CO_TRY(co_await unlock(route, std::move(found->locks)));
  co_return found->range;
}

/// As the node itself; what others were first with is theirs.
Task<Result<>> Sweeper::erase(Route route, Transaction transaction) {
  Proposal proposal{.stamp = {}, .body = Commit::of_node(std::move(transaction))};
  const auto answer = co_await route.port->ask(ProposeRequest(std::move(proposal)));
  if (!answer) co_return fail(answer.error());
  co_return Result<>{};
}

/// Under the epoch of the tombstone, which nobody else's transactions pass.
Task<Result<>> Sweeper::clear(Route route, DeletedRows deleted) {
  if (KISEKI_PLANTED("3.9 rows of deleted namespaces stay")) co_return Result<>{};
  Transaction transaction;
  transaction.namespaces.push_back(deleted.ns);
  for (auto& row : deleted.rows) transaction.erase(std::move(row));
  co_return co_await erase(route, std::move(transaction));
}

/// Their holders are fenced in every shard. Whoever else breaks one meanwhile is not disturbed.
Task<Result<>> Sweeper::unlock(Route route, std::vector<Row> locks) {
  if (KISEKI_PLANTED("5.1 locks of fenced sessions stay")) co_return Result<>{};
  Transaction transaction;
  for (auto& lock : locks) {
    transaction.require(Assert::Type::version, lock.key, lock.record.version);
    transaction.erase(std::move(lock.key));
  }
  co_return co_await erase(route, std::move(transaction));
}

Task<Result<>> Sweeper::follow(const SessionTable& table, const Seen& seen) {
  std::vector<SessionTable::Entry> gone;
  for (const auto& entry : table.sessions) {
    const bool is_fenced = entry.row.state == SessionRow::State::fenced;
    // A broken lock has fenced it in one shard.
    const bool is_to_fence = !is_fenced && seen.fenced.contains(entry.id);
    if (is_to_fence && !KISEKI_PLANTED("5.1 a broken lock fences in one shard alone")) {
      KISEKI_CO_TRY(co_await registry_.fence(entry));
    }
    // A fenced session prepares nothing more, so one whole look without it is enough.
    if (is_fenced && !seen.has_prepared(entry.id) && gone.size() < gone_max) gone.push_back(entry);
  }
  if (gone.empty()) co_return Result<>{};
  co_return co_await registry_.forget(table, std::move(gone));
}

Task<Result<>> Sweeper::sweep() {
  const auto table = co_await registry_.table();
  if (!table) co_return fail(table.error());
  const auto gone = table->gone();
  Seen seen;
  Coverage looked;
  while (const auto slot = looked.missing()) {
    const auto range = co_await sweep_shard(routes_.of(*slot), gone, seen);
    if (!range) co_return fail(range.error());
    if (!range->contains(*slot)) co_return fail(Errc::unavailable, "a shard is being split");
    looked.add(*range);
  }
  std::erase_if(met_, [&seen](const auto& one) { return !seen.prepared.contains(one.first); });
  co_return co_await follow(*table, seen);
}

}  // namespace kiseki::shard::detail
