#include "shard/client/resolver.h"

#include <tuple>

#include "base/planted.h"

namespace kiseki::shard::detail {

Task<Result<>> Resolver::resolve(ShardPort& at, Holder holder, Verdict verdict, Stamp stamp) const {
  if (&at == &primary(holder)) co_return Result<>{};
  auto answer = co_await at.ask(
      ProposeRequest({.stamp = {}, .body = Resolve{.id = holder.id, .verdict = verdict, .stamp = stamp}}));
  if (!answer) co_return fail(std::move(answer).error());
  co_return Result<>{};
}

Task<Result<bool>> Resolver::carry_out(ShardPort& at, Holder holder) const {
  const auto status = co_await primary(holder).ask(StatusRequest{holder});
  if (!status) co_return fail(status.error());
  switch (status->type) {
    case TransactionStatus::Type::pending:
      co_return false;
    case TransactionStatus::Type::unknown:
      // Finished and forgotten: what was met here is gone too.
      co_return !KISEKI_PLANTED("4.3 unknown is taken for pending");
    case TransactionStatus::Type::committed:
      KISEKI_CO_TRY(co_await resolve(at, holder, Verdict::committed, status->stamp));
      co_return true;
    case TransactionStatus::Type::aborted:
      KISEKI_CO_TRY(co_await resolve(at, holder, Verdict::aborted, {}));
      co_return true;
  }
  co_return false;
}

Duration Resolver::patience(const Holder& holder, const std::optional<Holder>& asking) const {
  const bool asking_is_older =
      asking && std::tie(asking->age, asking->id) < std::tie(holder.age, holder.id) && !asking->age.is_none();
  return asking_is_older ? patience_.young : patience_.old;
}

Task<Result<>> Resolver::make_way(ShardPort& at, Holder holder, std::optional<Holder> asking) const {
  const auto carried_out = co_await carry_out(at, holder);
  if (!carried_out) co_return fail(carried_out.error());
  if (*carried_out) co_return Result<>{};
  const auto released = co_await at.ask(ReleasedRequest{holder.id, patience(holder, asking)});
  if (!released) co_return fail(released.error());
  if (*released || KISEKI_PLANTED("4.3 nobody is aborted for another")) co_return Result<>{};
  co_return co_await end(at, holder);
}

Task<Result<>> Resolver::end(ShardPort& at, Holder holder) const {
  const Decide abort{
      .id = holder.id, .low_water = 0, .primary = holder.primary, .verdict = Verdict::aborted, .floor = {}};
  auto answer = co_await primary(holder).ask(ProposeRequest({.stamp = {}, .body = abort}));
  if (!answer) co_return fail(std::move(answer).error());
  if (answer->type != Answer::Type::decided) co_return Result<>{};
  const bool is_committed = answer->outcome.committed();
  co_return co_await resolve(at, holder, is_committed ? Verdict::committed : Verdict::aborted,
                             answer->outcome.stamp);
}

}  // namespace kiseki::shard::detail
