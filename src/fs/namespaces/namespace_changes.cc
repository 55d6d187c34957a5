#include "fs/namespaces/namespace_changes.h"

namespace kiseki::fs::detail {

using enum shard::Assert::Type;
using shard::NamespaceState;

Task<Result<NamespaceChanges::Found>> NamespaceChanges::read(NamespaceId ns) {
  shard::ReadRequest request;
  request.gets = {{.key = namespace_key(ns)}};
  const auto reply = co_await tree_.services().client->read(std::move(request));
  if (!reply) co_return fail(reply.error());
  const auto& record = reply->gets[0].record;
  if (!record) co_return fail(Errc::not_found, "no such namespace");
  const auto row = NamespaceRow::decode(record->value.view());
  if (!row) co_return fail(row.error());
  co_return Found{*row, record->version};
}

NamespaceRow NamespaceChanges::next(NamespaceRow row, NamespaceState state) const {
  row.state = state;
  ++row.epoch;
  row.changed_ms = tree_.services().client->time_ms();
  row.settled = false;
  return row;
}

Task<Result<NamespaceChanges::Found>> NamespaceChanges::put(NamespaceId ns, Found found, NamespaceRow row,
                                                            shard::Transaction transaction) {
  transaction.time_ms = tree_.services().client->time_ms();
  transaction.require(version, namespace_key(ns), found.version);
  transaction.put(namespace_key(ns), system_record(row.encode()));
  const auto outcome = co_await tree_.services().client->commit(std::move(transaction));
  if (!outcome) co_return fail(outcome.error());
  if (!outcome->committed()) co_return fail(Errc::conflict, "another changes the namespace");
  co_return Found{row, outcome->stamp};
}

Task<Result<NamespaceChanges::Found>> NamespaceChanges::tell(NamespaceId ns, Found found) {
  tree_.namespaces().forget(ns);
  KISEKI_CO_TRY(co_await tree_.services().client->configure(ns, found.row.epoch, found.row.state));
  NamespaceRow row = found.row;
  row.settled = row.state != NamespaceState::deleting;
  if (!row.settled) co_return found;
  co_return co_await put(ns, found, row, {});
}

Task<Result<NamespaceChanges::Found>> NamespaceChanges::change(NamespaceId ns, Found found,
                                                               NamespaceState state) {
  auto changed = co_await put(ns, found, next(found.row, state), {});
  if (!changed) co_return fail(std::move(changed).error());
  co_return co_await tell(ns, *changed);
}

Task<Result<NamespaceChanges::Found>> NamespaceChanges::configure(NamespacePtr ns, Found found,
                                                                  Configuration configuration) {
  const shard::Key key = configuration_key(ns->id);
  auto record = seal_configuration(*tree_.services().rng, *ns->keys, configuration);
  shard::Transaction transaction;
  transaction.require(exists, key).put(key, std::move(record));
  auto changed = co_await put(ns->id, found, next(found.row, NamespaceState::active), std::move(transaction));
  if (!changed) co_return fail(std::move(changed).error());
  // From here on it is done: whoever reads the row tells the shards, should this end before they know.
  const auto told = co_await tell(ns->id, *changed);
  const bool overtaken =
      !told && (told.error().code() == Errc::conflict || told.error().code() == Errc::stale);
  co_return overtaken ? changed : told;
}

}  // namespace kiseki::fs::detail
