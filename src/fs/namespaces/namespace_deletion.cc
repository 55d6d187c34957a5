#include "fs/namespaces/namespace_deletion.h"

#include "base/codec.h"
#include "base/logging.h"
#include "fs/sweeping/sweep_rows.h"
#include "fs/uploads/tree_uploads.h"

namespace kiseki::fs::detail {

namespace {

using enum shard::Assert::Type;
using shard::NamespaceState;

constexpr std::uint32_t rows_a_scan = 256;
constexpr Duration pause = std::chrono::seconds(10);
/// Deletions are left alone for so long: somebody may be at them.
constexpr std::uint64_t rest_ms = 60'000;

}  // namespace

Task<Result<>> NamespaceDeletion::run(NamespaceId ns, EntrySlot entry) {
  const auto found = co_await changes_.read(ns);
  if (!found) co_return fail(found.error());
  if (found->row.state == NamespaceState::deleted) co_return fail(Errc::not_found, "no such namespace");
  // One that is being deleted is taken over: the other's writes are refused from here on.
  const auto deleting = co_await changes_.change(ns, *found, NamespaceState::deleting);
  if (!deleting) co_return fail(deleting.error());
  auto erased = co_await erase(ns, *deleting, std::move(entry));
  if (erased) co_return erased;
  const auto now = co_await changes_.read(ns);
  if (now && now->version == deleting->version) {
    const auto revived = co_await changes_.change(ns, *now, NamespaceState::active);
    if (!revived) co_return fail(revived.error());
  }
  co_return erased;
}

Task<Result<NamespacePtr>> NamespaceDeletion::unlock(NamespaceId ns, const NamespaceRow& row) {
  auto& services = tree_.services();
  shard::ReadRequest request;
  request.gets = {{.key = descriptor_key(ns)}};
  const auto reply = co_await services.client->read(std::move(request));
  if (!reply) co_return fail(reply.error());
  const auto& record = reply->gets[0].record;
  if (!record) co_return fail(Errc::not_found, "no such namespace");
  const std::string descriptor(as_text(record->value.view()));
  auto keys = co_await services.keys->unlock(row.tenant, ns, descriptor);
  if (!keys) co_return fail(std::move(keys).error());
  const NamespaceContext context{
      .id = ns, .tenant = row.tenant, .epoch = row.epoch, .keys = std::move(*keys)};
  co_return std::make_shared<const NamespaceContext>(context);
}

Task<Result<>> NamespaceDeletion::erase(NamespaceId ns, Found found, EntrySlot entry) {
  const auto context = co_await unlock(ns, found.row);
  if (!context) co_return fail(context.error());
  // A tree of its own: no other operation of this core may write under the epoch of the deletion.
  Tree deleting(tree_.services(), limits_);
  deleting.namespaces().assume(*context);
  auto emptied = co_await empty(deleting, *context);
  Result<Found> last = found;
  if (emptied) last = co_await erase_last(deleting, *context, found, std::move(entry));
  co_await deleting.stop();
  if (!emptied) co_return emptied;
  if (!last) co_return fail(std::move(last).error());
  // Nothing is left: what fails from here on is told to the shards later.
  (void)co_await changes_.tell(ns, *last);
  co_return Result<>{};
}

Task<Result<>> NamespaceDeletion::empty(Tree& deleting, NamespacePtr ns) {
  const auto root = co_await deleting.open(ns, root_directory);
  if (!root) co_return fail(root.error());
  const auto pruned = co_await deleting.prune(*root);
  if (!pruned) co_return fail(pruned.error());
  if (!*pruned) co_return fail(Errc::not_empty, "the namespace is not empty");
  PieceStore store(deleting.services());
  auto aborted = co_await TreeUploads(deleting, store).abort_all(ns->id);
  co_await store.stop();
  if (!aborted) co_return aborted;
  const auto uploads = co_await deleting.open(ns, uploads_tree);
  if (!uploads) co_return fail(uploads.error());
  KISEKI_CO_TRY(co_await deleting.drop_empty_leaves(*uploads));
  co_return co_await drain(deleting, ns->id);
}

Task<Result<NamespaceDeletion::Found>> NamespaceDeletion::erase_last(Tree& deleting, NamespacePtr ns,
                                                                     Found found, EntrySlot entry) {
  const NamespaceRow row = changes_.next(found.row, NamespaceState::deleted);
  auto transaction = deleting.begin(ns);
  for (const auto id : {root_directory, uploads_tree}) {
    const auto tree = co_await deleting.open(ns, id);
    if (!tree) co_return fail(tree.error());
    const auto added = co_await deleting.add_removal(*tree, transaction);
    if (!added) co_return fail(added.error());
    if (!*added) co_return fail(Errc::not_empty, "the namespace is not empty");
  }
  transaction.require(version, namespace_key(ns->id), found.version);
  transaction.put(namespace_key(ns->id), system_record(row.encode()));
  transaction.erase(descriptor_key(ns->id)).erase(lease_key(ns->id)).erase(configuration_key(ns->id));
  transaction.erase(name_index_key(*deleting.services().keys, entry.name));
  transaction.namespaces.push_back({entry.directory.ns->id, entry.directory.ns->epoch});
  tree_.expect(transaction, entry);
  transaction.erase(entry.key);
  const auto outcome = co_await deleting.services().client->commit(std::move(transaction));
  if (!outcome) co_return fail(outcome.error());
  if (outcome->refusal == shard::Refusal::not_empty) {
    co_return fail(Errc::not_empty, "the namespace is not empty");
  }
  if (!outcome->committed()) co_return fail(Errc::conflict, "the namespace changed meanwhile");
  const auto now = co_await changes_.read(ns->id);  // the outcome's stamp is of another shard
  if (!now) co_return fail(now.error());
  co_return *now;
}

Task<> NamespaceDeletion::settle_until_stopped(Scope& scope) {
  do {
    const auto settled = co_await settle(rest_ms);
    if (!settled && settled.error().code() != Errc::cancelled) {
      log::warning("fs", "deletions of namespaces: {}", settled.error().to_string());
    }
  } while (co_await scope.sleep(*tree_.services().clock, pause));
}

Task<Result<>> NamespaceDeletion::settle(std::uint64_t age_ms) {
  auto& client = *tree_.services().client;
  std::string from;
  for (bool more = true; more;) {
    shard::ReadRequest request;
    request.scans.push_back(
        {.leaf = {}, .kind = shard::Kind::name_namespace, .from = from, .rows_max = rows_a_scan});
    const auto reply = co_await client.read(std::move(request));
    if (!reply) co_return fail(reply.error());
    more = reply->scans[0].more;
    for (const auto& row : reply->scans[0].rows) {
      from = row.key.item + '\0';
      const auto decoded = NamespaceRow::decode(row.record.value.view());
      if (!decoded) co_return fail(decoded.error());
      if (decoded->settled || decoded->changed_ms + age_ms > client.time_ms()) continue;
      const NamespaceId ns = Decoder(as_view(row.key.item)).id<NamespaceId>();
      const Found found{*decoded, row.record.version};
      const auto settled = decoded->state == NamespaceState::deleting
                               ? co_await changes_.change(ns, found, NamespaceState::active)
                               : co_await changes_.tell(ns, found);
      if (!settled && settled.error().code() != Errc::conflict) co_return fail(settled.error());
    }
  }
  co_return Result<>{};
}

}  // namespace kiseki::fs::detail
