#include "fs/names/id_leases.h"

#include "base/planted.h"
#include "fs/names/system_rows.h"

namespace kiseki::fs::detail {

Task<Result<InodeId>> IdLeases::next(NamespaceId ns) {
  if (const Range& range = ranges_[ns]; range.next == range.end) {
    const auto leased = co_await lease(ns, block);
    if (!leased) co_return fail(leased.error());
    // Another coroutine may have leased meanwhile: its range is lost, never given twice.
    ranges_[ns] = *leased;
  }
  co_return InodeId(ranges_[ns].next++);
}

Task<Result<NamespaceId>> IdLeases::next_namespace() {
  const auto leased = co_await lease(NamespaceId{}, 1);
  if (!leased) co_return fail(leased.error());
  co_return NamespaceId(leased->next);
}

Task<Result<IdLeases::Range>> IdLeases::lease(NamespaceId ns, std::uint64_t count) {
  constexpr int attempts_max = 64;
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    shard::ReadRequest request;
    request.gets = {{lease_key(ns)}};
    const auto reply = co_await services_.client->read(std::move(request));
    if (!reply) co_return fail(reply.error());
    const auto& record = reply->gets[0].record;
    if (!record) co_return fail(Errc::not_found, "the namespace leases no ids");
    const auto first = decode_lease(record->value.view());
    if (!first) co_return fail(first.error());
    shard::Transaction transaction;
    transaction.time_ms = services_.client->time_ms();
    transaction.require(shard::Assert::Type::version, lease_key(ns), record->version);
    transaction.put(
        lease_key(ns),
        system_record(encode_lease(KISEKI_PLANTED("3.1 ids are given twice") ? *first : *first + count)));
    const auto outcome = co_await services_.client->commit(std::move(transaction));
    if (!outcome) co_return fail(outcome.error());
    if (outcome->committed()) co_return Range{.next = *first, .end = *first + count};
  }
  co_return fail(Errc::busy, "too many want ids at once");
}

}  // namespace kiseki::fs::detail
