#include "fs/sweeping/sweep_rows.h"

#include "base/planted.h"
#include "fs/bodies/garbage.h"
#include "fs/tree/chain.h"
#include "fs/tree/directory_rows.h"

namespace kiseki::fs::detail {

namespace {

using enum shard::Assert::Type;

constexpr std::uint32_t rows_a_scan = 256;

std::uint64_t milliseconds(Stamp stamp) { return stamp.value() >> 16; }

Task<Result<>> commit(Tree& tree, shard::Transaction transaction) {
  const auto outcome = co_await tree.services().client->commit(std::move(transaction));
  if (!outcome) co_return fail(outcome.error());
  if (!outcome->committed()) co_return fail(Errc::conflict, "refused; the next round tries again");
  co_return Result<>{};
}

Task<Result<>> erase(Tree& tree, NamespacePtr ns, shard::Key row) {
  auto transaction = tree.begin(ns);
  transaction.erase(std::move(row));
  return commit(tree, std::move(transaction));
}

Task<Result<>> sweep_emptied(Tree& tree, NamespacePtr ns, shard::Key row) {
  const auto directory = co_await tree.open(ns, row.leaf.container);
  if (!directory && directory.error().code() != Errc::not_found) co_return fail(directory.error());
  if (directory) {
    KISEKI_CO_TRY(co_await tree.drop_if_empty(*directory, row.leaf.leaf));
    KISEKI_CO_TRY(co_await tree.remove_if_empty(*directory));
  }
  co_return co_await erase(tree, std::move(ns), std::move(row));
}

/// The row was written before the tombstone: there may be none, or a younger one.
Task<Result<>> sweep_tombstone(Tree& tree, NamespacePtr ns, shard::Key row, std::uint64_t keeps_ms) {
  const std::uint64_t now = tree.services().client->time_ms();
  if (milliseconds(row.stamp) + keeps_ms > now) co_return Result<>{};
  const auto key = tombstone_key(row.leaf);
  shard::ReadRequest request;
  request.gets = {{.key = key}};
  const auto reply = co_await tree.services().client->read(std::move(request));
  if (!reply) co_return fail(reply.error());
  const auto& record = reply->gets[0].record;
  if (record && milliseconds(record->version) + keeps_ms > now) co_return Result<>{};
  auto transaction = tree.begin(ns);
  transaction.erase(key).erase(std::move(row));
  co_return co_await commit(tree, std::move(transaction));
}

/// Adds what takes an unlinked directory and everything in it. Nobody else knows of it.
Task<Result<>> add_unlinked(Tree& tree, shard::Transaction& transaction, Directory directory) {
  const auto leaf = co_await tree.read_leaf(directory, {});
  if (!leaf) co_return fail(leaf.error());
  for (const auto& entry : leaf->entries) {
    if (entry.type == NameType::directory) {
      auto child = co_await tree.open(directory.ns, entry.record.id);
      if (!child) co_return fail(std::move(child).error());
      KISEKI_CO_TRY(co_await add_unlinked(tree, transaction, std::move(*child)));
    } else {
      const auto slot = co_await tree.locate(directory, entry.name, entry.type, Purpose::read);
      if (!slot) co_return fail(slot.error());
      if (slot->record) KISEKI_CO_TRY(co_await free_rows(tree, transaction, *slot));
    }
    transaction.require(version, entry.key, entry.record.version).erase(entry.key);
  }
  transaction.erase(guard_key(directory.leaf(LeafId{})));
  transaction.erase(header_key(directory.ns->id, directory.id));
  co_return Result<>{};
}

/// A crash came between the link and the entry below: takes what is empty of a chain, whatever others have
/// put beside it.
Task<Result<>> remove_empty(Tree& tree, NamespacePtr ns, std::vector<InodeId> chain) {
  for (; !chain.empty(); chain.pop_back()) {
    auto directory = co_await tree.open(ns, chain.back());
    if (!directory && directory.error().code() == Errc::not_found) continue;
    if (!directory) co_return fail(std::move(directory).error());
    KISEKI_CO_TRY(co_await tree.remove_if_empty(std::move(*directory)));
  }
  co_return Result<>{};
}

Task<Result<bool>> is_linked(Tree& tree, NamespacePtr ns, InodeId id, std::string name, InodeId parent_id) {
  auto parent = co_await tree.open(ns, parent_id);
  if (!parent && parent.error().code() == Errc::not_found) co_return false;
  if (!parent) co_return fail(std::move(parent).error());
  const auto slot =
      co_await tree.locate(std::move(*parent), std::move(name), NameType::directory, Purpose::read);
  if (!slot && slot.error().code() == Errc::not_found) co_return false;
  if (!slot) co_return fail(slot.error());
  co_return slot->record && slot->record->id == id;
}

/// Adds what takes a directory that its session made and did not link. Where it would be linked its header
/// says, which every rename writes: one that was renamed meanwhile has another version.
Task<Result<>> add_chain(Tree& tree, shard::Transaction& transaction, Directory directory,
                         const shard::Row& pending) {
  const auto header = co_await tree.header(directory.ns, directory.id);
  if (!header) co_return fail(header.error());
  if (!*header) co_return Result<>{};
  const auto linked =
      co_await is_linked(tree, directory.ns, directory.id, (*header)->name, (*header)->link.parent);
  if (!linked) co_return fail(linked.error());
  const bool stays = *linked && !KISEKI_PLANTED("2.6 the sweeper takes what is linked");
  if (stays) {
    auto chain = directories_of_chain(*directory.ns, pending);
    if (!chain) co_return fail(chain.error());
    co_return co_await remove_empty(tree, directory.ns, std::move(*chain));
  }
  transaction.require(version, header_key(directory.ns->id, directory.id), (*header)->version);
  auto added = co_await add_unlinked(tree, transaction, std::move(directory));
  if (!added && added.error().code() == Errc::not_found) co_return fail(Errc::conflict, "went meanwhile");
  co_return added;
}

Task<Result<>> drain_shard(Tree& tree, NamespaceId ns, ShardId shard, shard::Kind kind) {
  Stamp after;
  while (true) {
    const auto rows = co_await tree.services().client->scan(shard, kind, after, rows_a_scan);
    if (!rows) co_return fail(rows.error());
    if (rows->empty()) co_return Result<>{};
    after = rows->back().key.stamp;
    for (const auto& row : *rows) {
      if (row.key.leaf.ns != ns) continue;
      if (kind == shard::Kind::feed) KISEKI_CO_TRY(co_await sweep_feed(tree, row, 0));
      if (kind == shard::Kind::garbage) KISEKI_CO_TRY(co_await sweep_garbage(tree, row));
    }
  }
}

}  // namespace

Task<Result<>> sweep_feed(Tree& tree, shard::Row row, std::uint64_t keeps_tombstones_ms) {
  auto ns = co_await tree.namespaces().get(row.key.leaf.ns);
  if (!ns && ns.error().code() == Errc::not_found) co_return Result<>{};
  if (!ns) co_return fail(std::move(ns).error());
  const auto event = row.key.item.empty() ? 0 : row.key.item.front();
  if (event == static_cast<char>(shard::Event::leaf_emptied)) {
    co_return co_await sweep_emptied(tree, std::move(*ns), std::move(row.key));
  }
  if (event == static_cast<char>(shard::Event::tombstone_left)) {
    co_return co_await sweep_tombstone(tree, std::move(*ns), std::move(row.key), keeps_tombstones_ms);
  }
  co_return fail(Errc::wrong_format, "a feed row of an unknown event");
}

Task<Result<>> sweep_chain(Tree& tree, shard::Row row) {
  auto ns = co_await tree.namespaces().get(row.key.leaf.ns);
  if (!ns && ns.error().code() == Errc::not_found) co_return Result<>{};
  if (!ns) co_return fail(std::move(ns).error());
  auto directory = co_await tree.open(*ns, row.record.id);
  if (!directory && directory.error().code() != Errc::not_found) co_return fail(std::move(directory).error());
  auto transaction = tree.begin(*ns);
  if (directory) KISEKI_CO_TRY(co_await add_chain(tree, transaction, std::move(*directory), row));
  transaction.erase(std::move(row.key));
  co_return co_await commit(tree, std::move(transaction));
}

Task<Result<>> drain(Tree& tree, NamespaceId ns) {
  for (const auto shard : tree.services().client->shards()) {
    // Garbage first: it empties no leaf, and what the feed does leaves no garbage.
    KISEKI_CO_TRY(co_await drain_shard(tree, ns, shard, shard::Kind::garbage));
    KISEKI_CO_TRY(co_await drain_shard(tree, ns, shard, shard::Kind::feed));
  }
  co_return Result<>{};
}

}  // namespace kiseki::fs::detail
