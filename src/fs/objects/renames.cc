#include "fs/objects/renames.h"

#include <algorithm>

#include "base/planted.h"
#include "fs/bodies/garbage.h"
#include "fs/objects/tree_directories.h"
#include "fs/tree/measure.h"

namespace kiseki::fs::detail {

namespace {

using enum shard::Assert::Type;

/// Deeper than any path of 1,024 bytes.
constexpr int depth_max = 1024;

Error changed() { return Error(Errc::stale, "what was read has changed"); }

/// Whichever leaf each was found in: it may have split in between.
bool are_one(const EntrySlot& source, const EntrySlot& target) {
  return source.directory.id == target.directory.id && source.key.item == target.key.item;
}

/// The record of an entry for another name. Everything it says but name and place stays.
shard::Record renamed(Tree& tree, const EntrySlot& source, const EntrySlot& target) {
  const shard::Record& old = *source.record;
  shard::Record record;
  record.id = old.id;
  record.home = KISEKI_PLANTED("3.1 a rename changes the home") ? target.home() : old.home;
  record.type = old.type;
  record.body = old.body;
  record.logical = old.logical;
  record.stored = old.stored;
  record.retention = old.retention;
  record.references = old.references;
  tree.seal_entry(target, record, source.value);
  return record;
}

/// What every rename commits: the source as it was read goes, the target comes where `target` and no `other`
/// is.
shard::Transaction begin_rename(Tree& tree, const EntrySlot& source, const EntrySlot& target,
                                const EntrySlot& other) {
  auto transaction = tree.begin(target);
  if (!KISEKI_PLANTED("2.7 rename asserts one token")) require_none(transaction, other);
  if (KISEKI_PLANTED("2.2 rename does not assert its source")) {
    transaction.erase(source.key);
  } else {
    transaction.require(version, source.key, source.record->version).erase(source.key);
  }
  transaction.put(target.key, renamed(tree, source, target));
  return transaction;
}

Task<Result<>> finish(Tree& tree, const EntrySlot& source, EntrySlot target, shard::Transaction transaction) {
  const auto outcome = co_await tree.commit(target, std::move(transaction));
  note_changed(source);
  if (!outcome) co_return fail(outcome.error());
  if (outcome->committed()) co_return Result<>{};
  co_return co_await start_again(tree, std::move(target), *outcome);
}

/// Adds what frees the body of the object that is replaced.
Task<Result<>> free_replaced(Tree& tree, shard::Transaction& transaction, const EntrySlot& source,
                             const EntrySlot& target) {
  if (!target.record) co_return Result<>{};
  if (source.key.leaf != target.key.leaf) co_return co_await free_rows(tree, transaction, target);
  free_body(tree, transaction, target);
  co_return Result<>{};
}

Task<Result<>> rename_object(Tree& tree, EntrySlot source, ResolvedPath to) {
  if (to.as_directory) co_return fail(Errc::not_directory, "a file under the name of a directory");
  const auto target = co_await locate(tree, to, NameType::object);
  if (!target) co_return fail(target.error());
  if (are_one(source, *target)) co_return Result<>{};
  const auto other = co_await locate(tree, to, NameType::directory);
  if (!other) co_return fail(other.error());
  const auto visible = co_await is_visible(tree, *other);
  if (!visible) co_return fail(visible.error());
  if (*visible) co_return fail(Errc::is_directory, "a directory of that name");
  if (other->record) {
    // Nobody sees it: it is swept before its time.
    const auto directory = co_await tree.open(other->directory.ns, other->record->id);
    if (directory) KISEKI_CO_TRY(co_await tree.prune(*directory));
    if (directory) KISEKI_CO_TRY(co_await tree.remove_if_empty(*directory));
    co_return fail(changed());
  }
  auto transaction = begin_rename(tree, source, *target, *other);
  KISEKI_CO_TRY(co_await free_replaced(tree, transaction, source, *target));
  co_return co_await finish(tree, source, *target, std::move(transaction));
}

/// Asserts every directory from `id` up to the root as it stands, so that nothing is moved below itself,
/// whatever else is moved at the same time (PROTOCOLS 2.9).
Task<Result<>> lock_ancestors(Tree& tree, NamespacePtr ns, InodeId id, InodeId moved,
                              shard::Transaction& transaction) {
  for (int depth = 0; depth < depth_max && !id.is_none(); ++depth) {
    if (id == moved) co_return fail(Errc::invalid_argument, "a directory into itself");
    const auto header = co_await tree.header(ns, id);
    if (!header) co_return fail(header.error());
    if (!*header) co_return fail(changed());
    if (!KISEKI_PLANTED("2.9 ancestors are not locked")) {
      transaction.require(version, header_key(ns->id, id), (*header)->version);
    }
    id = (*header)->link.parent;
  }
  if (!id.is_none()) co_return fail(changed());
  co_return Result<>{};
}

/// The header says where its directory is.
Task<Result<>> put_header(Tree& tree, const EntrySlot& source, const EntrySlot& target,
                          shard::Transaction& transaction) {
  const NamespacePtr& ns = target.directory.ns;
  const InodeId id = source.record->id;
  auto header = co_await tree.header(ns, id);
  if (!header) co_return fail(std::move(header).error());
  if (!*header) co_return fail(changed());
  if (KISEKI_PLANTED("2.9 the header of the renamed directory is not written")) co_return Result<>{};
  const auto row = header_key(ns->id, id);
  (*header)->name = target.name;
  (*header)->link.parent = target.directory.id;
  (*header)->link.leaf = target.key.leaf.leaf;
  std::ranges::copy(as_view(target.key.item), (*header)->link.token.begin());
  transaction.require(version, row, (*header)->version);
  transaction.put(row, make_header(*tree.services().rng, *ns, id, **header));
  co_return Result<>{};
}

Task<Result<>> rename_directory(Tree& tree, EntrySlot source, ResolvedPath from, ResolvedPath to) {
  const auto target = co_await locate(tree, to, NameType::directory);
  if (!target) co_return fail(target.error());
  if (are_one(source, *target)) co_return Result<>{};
  const auto other = co_await locate(tree, to, NameType::object);
  if (!other) co_return fail(other.error());
  if (other->record) co_return fail(Errc::not_directory, "a file of that name");
  const InodeId id = source.record->id;
  const NamespacePtr& ns = source.directory.ns;
  auto transaction = begin_rename(tree, source, *target, *other);
  if (from.parent.id != to.parent.id) {
    KISEKI_CO_TRY(co_await lock_ancestors(tree, ns, to.parent.id, id, transaction));
  }
  if (target->record) KISEKI_CO_TRY(co_await add_empty_removal(tree, transaction, *target));
  KISEKI_CO_TRY(co_await put_header(tree, source, *target, transaction));
  KISEKI_CO_TRY(co_await finish(tree, source, *target, std::move(transaction)));
  tree.remember(ns, {to.parent.id, to.name, InodeId{}});
  tree.remember(ns, {to.parent.id, to.name, id});
  tree.remember(ns, {from.parent.id, from.name, InodeId{}});
  co_return Result<>{};
}

Task<Result<>> attempt(Tree& tree, NamespaceId ns, std::string from_path, std::string to_path) {
  auto from = co_await resolve(tree, ns, std::move(from_path));
  if (!from) co_return fail(std::move(from).error());
  auto to = co_await resolve(tree, ns, std::move(to_path));
  if (!to) co_return fail(std::move(to).error());
  if (!from->as_directory) {
    auto object = co_await locate(tree, *from, NameType::object);
    if (!object) co_return fail(std::move(object).error());
    if (object->record) co_return co_await rename_object(tree, std::move(*object), std::move(*to));
  }
  auto entry = co_await locate(tree, *from, NameType::directory);
  if (!entry) co_return fail(std::move(entry).error());
  const auto visible = co_await is_visible(tree, *entry);
  if (!visible) co_return fail(visible.error());
  if (!*visible) co_return fail(Errc::not_found, "nothing of that name");
  co_return co_await rename_directory(tree, std::move(*entry), std::move(*from), std::move(*to));
}

}  // namespace

Task<Result<>> rename(Tree& tree, NamespaceId ns, std::string from, std::string to) {
  for (Attempts attempts;;) {
    auto renamed_it = co_await attempt(tree, ns, from, to);
    if (renamed_it || renamed_it.error().code() != Errc::stale) co_return renamed_it;
    KISEKI_CO_TRY(co_await attempts.next(*tree.services().clock, *tree.services().rng));
  }
}

}  // namespace kiseki::fs::detail
