#include "fs/tree/rows.h"

namespace kiseki::fs::detail {

namespace {

/// What a refusal means that another attempt will not change; none for the others.
std::optional<Error> final_error(shard::Refusal refusal) {
  switch (refusal) {
    case shard::Refusal::deleted:
      return Error(Errc::not_found, "the namespace is deleted");
    case shard::Refusal::retained:
      return Error(Errc::retained, "a row is under retention");
    case shard::Refusal::quota:
      return Error(Errc::quota_exceeded, "the quota is used up");
    case shard::Refusal::none:
    case shard::Refusal::version:
    case shard::Refusal::exists:
    case shard::Refusal::missing:
    case shard::Refusal::generation:
    case shard::Refusal::not_empty:
    case shard::Refusal::split_first:
    case shard::Refusal::configuration:
    case shard::Refusal::chunk_epoch:
    case shard::Refusal::aborted:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

Task<Result<shard::Outcome>> commit_rows(Tree& tree, NamespacePtr ns, shard::Transaction transaction) {
  Services& services = tree.services();
  Attempts attempts;
  for (;;) {
    auto outcome = co_await services.client->commit(transaction);
    if (!outcome) co_return fail(outcome.error());
    if (auto error = final_error(outcome->refusal)) co_return fail(*std::move(error));
    if (outcome->refusal == shard::Refusal::configuration) {
      tree.namespaces().forget(ns->id);
      auto again = co_await tree.namespaces().get(ns->id);
      if (!again) co_return fail(again.error());
      transaction.namespaces = {shard::NamespaceEpoch{ns->id, (*again)->epoch}};
    } else if (outcome->refusal != shard::Refusal::aborted) {
      co_return *outcome;
    }
    KISEKI_CO_TRY(co_await attempts.next(*services.clock, *services.rng));
  }
}

Task<Result<>> erase_rows(Tree& tree, NamespacePtr ns, std::vector<shard::Key> rows) {
  shard::Transaction transaction = tree.begin(ns);
  for (shard::Key& row : rows) transaction.erase(std::move(row));
  auto outcome = co_await commit_rows(tree, std::move(ns), std::move(transaction));
  if (!outcome) co_return fail(outcome.error());
  co_return Result<>();
}

Task<Result<std::optional<shard::Record>>> read_row(Tree& tree, shard::Key key) {
  shard::ReadRequest request;
  request.gets.push_back(shard::Get{std::move(key)});
  auto reply = co_await tree.services().client->read(std::move(request));
  if (!reply) co_return fail(reply.error());
  co_return std::move(reply->gets.front().record);
}

Task<Result<shard::ReadReply::Scanned>> scan_rows(Tree& tree, shard::Scan scan) {
  shard::ReadRequest request;
  request.scans.push_back(std::move(scan));
  auto reply = co_await tree.services().client->read(std::move(request));
  if (!reply) co_return fail(reply.error());
  co_return std::move(reply->scans.front());
}

}  // namespace kiseki::fs::detail
