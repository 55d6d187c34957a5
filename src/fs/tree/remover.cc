#include "fs/tree/remover.h"

#include "base/planted.h"
#include "fs/tree/measure.h"

namespace kiseki::fs::detail {

namespace {
using enum shard::Assert::Type;
}

Task<Result<Remover::Removal>> Remover::drop_leaf(Directory directory, LeafId leaf) {
  Attempts attempts;
  while (!leaf.is_none()) {
    const auto tried = co_await try_drop(directory, leaf);
    if (!tried && tried.error().code() == Errc::stale) co_return Removal::gone;
    if (!tried) co_return fail(tried.error());
    if (*tried == Try::gone) co_return Removal::gone;
    if (*tried == Try::kept) co_return Removal::kept;
    KISEKI_CO_TRY(co_await attempts.next(*core_.services.clock, core_.rng()));
  }
  co_return Removal::kept;
}

Task<Result<Remover::Try>> Remover::try_drop(Directory directory, LeafId leaf) {
  const auto address = directory.leaf(leaf);
  const auto answer = co_await read_leaf_rows(core_, directory, leaf, {.entry = {}, .counted = true});
  if (!answer) co_return fail(answer.error());
  if (!answer->guard) co_return Try::gone;
  const Guard guard = *answer->guard;
  if (answer->counters.entries > 0) co_return Try::kept;
  const auto left = co_await Walk(core_, directory).left_of(leaf, guard.low);
  if (!left && left.error().code() == Errc::stale) co_return Try::again;
  if (!left) co_return fail(left.error());
  if (guard.frozen || left->guard->frozen) {
    KISEKI_CO_TRY(co_await splitter_.settle(directory, guard.frozen ? leaf : left->leaf));
    co_return Try::again;
  }
  KISEKI_CO_TRY(co_await announce_tombstone(directory, leaf));

  const auto left_address = directory.leaf(left->leaf);
  Guard merged = *left->guard;
  merged.high = guard.high;
  merged.right = guard.right;
  auto transaction = core_.begin(directory.ns);
  // Its latest time goes to the left leaf, whose guard is put (docs/formats/guard.md).
  const bool forgets = KISEKI_PLANTED("2.10 a dropped leaf takes its latest time along");
  transaction.time_ms = forgets ? 0 : answer->counters.modified_ms;
  if (!KISEKI_PLANTED("2.4 a leaf is dropped that is not empty")) {
    transaction.require(prefix_empty, guard_key(address));
  }
  transaction.require(version, guard_key(address), guard.generation).erase(guard_key(address));
  const bool blind = KISEKI_PLANTED("2.4 the left guard's generation is not asserted");
  transaction.require(blind ? exists : version, guard_key(left_address), left->guard->generation);
  transaction.put(guard_key(left_address), make_guard(core_.rng(), *directory.ns, left_address, merged));
  transaction.require(absent, tombstone_key(address));
  transaction.put(tombstone_key(address), make_tombstone(core_.rng(), *directory.ns, address,
                                                         {.left = left->leaf, .right = guard.right}));
  const auto tried = co_await commit(std::move(transaction));
  if (!tried || *tried != Try::gone) co_return tried;
  directory.state->forget(leaf);
  const DirectoryIndex::Route route{.separator = guard.low, .leaf = leaf};
  (void)co_await DirectoryIndex(core_).update(directory, {{DirectoryIndex::Change::Type::remove, route}});
  co_return Try::gone;
}

/// Before the tombstone, so that none is left without its row; the sweeper looks whether there is one.
Task<Result<>> Remover::announce_tombstone(Directory directory, LeafId leaf) {
  auto transaction = core_.begin(directory.ns);
  transaction.put_stamped(feed_key(directory.leaf(leaf), shard::Event::tombstone_left), {});
  const auto outcome = co_await core_.client().commit(std::move(transaction));
  if (!outcome) co_return fail(outcome.error());
  if (!outcome->committed()) co_return fail(Errc::conflict, "a leaf's removal was refused");
  co_return Result<>{};
}

Task<Result<Remover::Try>> Remover::commit(shard::Transaction transaction) {
  const auto outcome = co_await core_.client().commit(std::move(transaction));
  if (!outcome) co_return fail(outcome.error());
  using enum shard::Refusal;
  switch (outcome->refusal) {
    case none:
      co_return Try::gone;
    case not_empty:
      co_return Try::kept;
    case configuration:
    case deleted:
      co_return fail(Errc::conflict, "the namespace changed");
    default:
      co_return Try::again;
  }
}

Task<Result<>> Remover::drop_leaves(Directory directory) {
  LeafId leaf{};
  while (true) {
    const auto answer = co_await read_leaf_rows(core_, directory, leaf, {});
    if (!answer && answer.error().code() == Errc::stale) co_return Result<>{};
    if (!answer) co_return fail(answer.error());
    // A leaf that went meanwhile took over nothing: begin again from the first.
    const LeafId right = answer->guard ? answer->guard->right : LeafId{};
    if (answer->guard && right.is_none()) co_return Result<>{};
    const auto removal = co_await drop_leaf(directory, right);
    if (!removal) co_return fail(removal.error());
    if (*removal == Removal::kept) leaf = right;
  }
}

Task<Result<Remover::Removal>> Remover::remove_directory(Directory directory) {
  Attempts attempts;
  while (directory.id != root_directory && directory.id != uploads_tree) {
    const auto tried = co_await try_remove(directory);
    if (!tried) co_return fail(tried.error());
    if (*tried == Try::gone) co_return Removal::gone;
    if (*tried == Try::kept) co_return Removal::kept;
    KISEKI_CO_TRY(co_await attempts.next(*core_.services.clock, core_.rng()));
  }
  co_return Removal::kept;
}

Task<Result<std::optional<Header>>> Remover::add_removal(Directory directory,
                                                         shard::Transaction& transaction) {
  const auto first = directory.leaf(LeafId{});
  const auto key = header_key(directory.ns->id, directory.id);
  const auto reply = co_await core_.read({key, guard_key(first)});
  if (!reply) co_return fail(reply.error());
  const auto& found = reply->gets;
  if (!found[0].record || !found[1].record) co_return std::nullopt;
  auto header = open_header(*directory.ns, directory.id, *found[0].record);
  if (!header) co_return fail(std::move(header).error());
  const auto guard = open_guard(*directory.ns, first, *found[1].record);
  if (!guard) co_return fail(guard.error());
  if (guard->high && !KISEKI_PLANTED("2.5 a directory of several leaves is removed")) co_return std::nullopt;
  if (!KISEKI_PLANTED("2.5 a directory is removed that is not empty")) {
    transaction.require(prefix_empty, guard_key(first));
  }
  transaction.require(version, guard_key(first), guard->generation).erase(guard_key(first));
  transaction.require(version, key, header->version).erase(key);
  KISEKI_CO_TRY(co_await DirectoryIndex(core_).erase_all(directory, transaction));
  co_return std::move(*header);
}

Task<Result<Remover::Try>> Remover::try_remove(Directory directory) {
  const auto counters = co_await core_.client().counters({directory.leaf(LeafId{})});
  if (!counters) co_return fail(counters.error());
  if (counters->front().entries > 0) co_return Try::kept;
  auto transaction = core_.begin(directory.ns);
  const auto header = co_await add_removal(directory, transaction);
  if (!header) co_return fail(header.error());
  if (!*header) co_return Try::kept;
  const bool stays = (*header)->link.is_explicit && !KISEKI_PLANTED("2.8 explicit directories are swept");
  if (stays) co_return Try::kept;
  const auto& [name_key, name, link, header_version] = **header;

  const auto parent = co_await tree_.open(directory.ns, link.parent);
  if (!parent && parent.error().code() == Errc::not_found) co_return Try::kept;  // made and not linked
  if (!parent) co_return fail(parent.error());
  const auto entry = co_await tree_.locate(*parent, name, NameType::directory, Purpose::write);
  if (!entry && entry.error().code() == Errc::not_found) co_return Try::kept;
  if (!entry) co_return fail(entry.error());
  if (!entry->record || entry->record->id != directory.id) co_return Try::kept;
  transaction.require(version, entry->key, entry->record->version).erase(entry->key);

  const auto tried = co_await commit(std::move(transaction));
  note_changed(*entry);
  if (tried && *tried == Try::gone) {
    core_.names.erase({directory.ns->id, link.parent, name});
    core_.directories.erase({directory.ns->id, directory.id});
  }
  co_return tried;
}

Task<Result<bool>> Remover::prune(Directory directory) {
  std::optional<std::string> from = std::string();
  while (from) {
    const auto leaf = co_await tree_.read_leaf(directory, *from);
    if (!leaf && leaf.error().code() == Errc::not_found) co_return true;
    if (!leaf) co_return fail(leaf.error());
    const auto pruned = co_await prune_entries(directory, *leaf);
    if (!pruned) co_return fail(pruned.error());
    if (!*pruned) co_return false;
    from = leaf->high;
  }
  KISEKI_CO_TRY(co_await drop_leaves(directory));
  co_return true;
}

Task<Result<bool>> Remover::prune_entries(Directory directory, const ListedLeaf& leaf) {
  for (const auto& entry : leaf.entries) {
    if (entry.type != NameType::directory) co_return false;
    const auto child = co_await tree_.open(directory.ns, entry.record.id);
    if (!child && child.error().code() == Errc::not_found) continue;
    if (!child) co_return fail(child.error());
    const auto empty = co_await prune(*child);
    if (!empty) co_return fail(empty.error());
    if (!*empty) co_return false;
    const auto removal = co_await remove_directory(*child);
    if (!removal) co_return fail(removal.error());
    if (*removal == Removal::kept) co_return false;
  }
  co_return true;
}

}  // namespace kiseki::fs::detail
