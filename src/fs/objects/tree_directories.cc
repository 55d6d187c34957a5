#include "fs/objects/tree_directories.h"

#include <algorithm>

#include "fs/objects/renames.h"

namespace kiseki::fs::detail {

namespace {

using enum shard::Assert::Type;

constexpr std::size_t path_size_max = 1024;

Result<std::vector<std::string>> split_path(std::string_view path) {
  if (path.empty() || path.size() > path_size_max) {
    return fail(Errc::invalid_argument, "a path has 1 to 1,024 bytes");
  }
  if (path.ends_with('/')) path.remove_suffix(1);
  auto [names, last] = split_key(path);
  names.push_back(std::move(last));
  const auto is_bad = [](const std::string& name) { return name.empty() || name == "." || name == ".."; };
  if (std::ranges::any_of(names, is_bad)) {
    return fail(Errc::invalid_argument, "a path of empty names, \".\" or \"..\"");
  }
  return names;
}

/// Nothing unless users see the directory.
Task<Result<std::optional<Directory>>> find_visible(Tree& tree, NamespaceId ns,
                                                    std::vector<std::string> names) {
  const bool is_root = names.empty();
  auto found = co_await tree.find_directory(ns, std::move(names));
  if (!found && found.error().code() == Errc::not_found && !is_root) co_return std::nullopt;
  if (!found) co_return fail(std::move(found).error());
  if (is_root) co_return std::move(*found);
  const auto visible = co_await tree.visible(found->ns, {found->id});
  if (!visible) co_return fail(visible.error());
  if (!visible->front()) co_return std::nullopt;
  co_return std::move(*found);
}

/// What stands where the first missing directory of a path should be.
Task<Error> explain_missing(Tree& tree, NamespaceId ns, std::vector<std::string> names) {
  std::string key;
  for (std::size_t depth = 1; depth <= names.size(); ++depth) {
    const auto end = names.begin() + static_cast<std::ptrdiff_t>(depth);
    const auto directory = co_await find_visible(tree, ns, {names.begin(), end});
    if (!directory) co_return directory.error();
    key += names[depth - 1];
    if (!*directory) {
      const auto file = co_await tree.find(ns, key, Purpose::read);
      if (!file) co_return file.error();
      if (file->record) co_return Error(Errc::not_directory, "a file on the way");
      co_return Error(Errc::not_found, "no such directory");
    }
    key += '/';
  }
  co_return Error(Errc::stale, "it has come meanwhile");
}

}  // namespace

Task<Result<ResolvedPath>> resolve(Tree& tree, NamespaceId ns, std::string path) {
  auto names = split_path(path);
  if (!names) co_return fail(std::move(names).error());
  std::string last = std::move(names->back());
  names->pop_back();
  auto parent = co_await find_visible(tree, ns, *names);
  if (!parent) co_return fail(std::move(parent).error());
  if (!*parent) co_return fail(co_await explain_missing(tree, ns, std::move(*names)));
  co_return ResolvedPath{
      .parent = std::move(**parent), .name = std::move(last), .as_directory = path.ends_with('/')};
}

Task<Result<EntrySlot>> locate(Tree& tree, ResolvedPath target, NameType type) {
  auto slot = co_await tree.locate(std::move(target.parent), std::move(target.name), type, Purpose::write);
  if (!slot && slot.error().code() == Errc::not_found) co_return fail(Errc::stale, "the parent has gone");
  co_return slot;
}

Task<Result<>> start_again(Tree& tree, EntrySlot slot, shard::Outcome outcome) {
  Attempts first;  // does not wait
  KISEKI_CO_TRY(co_await tree.recover(std::move(slot), outcome, first));
  co_return fail(Errc::stale, "what was read has changed");
}

Task<Result<bool>> is_visible(Tree& tree, const EntrySlot& entry) {
  if (!entry.record) co_return false;
  const auto visible = co_await tree.visible(entry.directory.ns, {entry.record->id});
  if (!visible) co_return fail(visible.error());
  co_return visible->front();
}

Task<Result<>> add_empty_removal(Tree& tree, shard::Transaction& transaction, const EntrySlot& entry) {
  auto directory = co_await tree.open(entry.directory.ns, entry.record->id);
  if (!directory && directory.error().code() == Errc::not_found) co_return fail(Errc::stale, "it has gone");
  if (!directory) co_return fail(std::move(directory).error());
  const auto pruned = co_await tree.prune(*directory);
  if (!pruned) co_return fail(pruned.error());
  if (!*pruned) co_return fail(Errc::not_empty, "the directory is not empty");
  const auto added = co_await tree.add_removal(std::move(*directory), transaction);
  if (!added) co_return fail(added.error());
  if (!*added) co_return fail(Errc::stale, "the directory changes");
  co_return Result<>{};
}

Task<Result<>> TreeDirectories::make(NamespaceId ns, std::string path) {
  for (Attempts attempts;;) {
    auto target = co_await resolve(tree_, ns, path);
    auto made = target ? co_await try_make(std::move(*target)) : fail(target.error());
    if (made || made.error().code() != Errc::stale) co_return made;
    KISEKI_CO_TRY(co_await attempts.next(*tree_.services().clock, *tree_.services().rng));
  }
}

Task<Result<>> TreeDirectories::try_make(ResolvedPath target) {
  auto object = co_await locate(tree_, target, NameType::object);
  if (!object) co_return fail(std::move(object).error());
  if (object->record) co_return fail(Errc::exists, "a file of that name");
  auto entry = co_await locate(tree_, target, NameType::directory);
  if (!entry) co_return fail(std::move(entry).error());
  if (entry->record) co_return co_await adopt(std::move(*entry), std::move(*object));
  const auto outcome = co_await tree_.make_directory(*entry);
  if (!outcome) co_return fail(outcome.error());
  if (outcome->committed()) co_return Result<>{};
  co_return co_await start_again(tree_, std::move(*entry), *outcome);
}

/// An implicit directory that nobody sees becomes an explicit one.
Task<Result<>> TreeDirectories::adopt(EntrySlot entry, EntrySlot object) {
  const auto visible = co_await is_visible(tree_, entry);
  if (!visible) co_return fail(visible.error());
  if (*visible) co_return fail(Errc::exists, "a directory of that name");
  const NamespacePtr ns = entry.directory.ns;
  auto header = co_await tree_.header(ns, entry.record->id);
  if (!header) co_return fail(std::move(header).error());
  if (!*header) co_return fail(Errc::stale, "it has gone");
  if ((*header)->link.is_explicit) co_return fail(Errc::exists, "another has made it");
  (*header)->link.is_explicit = true;
  auto transaction = tree_.begin(entry);
  require_none(transaction, object);
  const auto row = header_key(ns->id, entry.record->id);
  transaction.require(version, row, (*header)->version);
  transaction.put(row, make_header(*tree_.services().rng, *ns, entry.record->id, **header));
  const auto outcome = co_await tree_.commit(entry, std::move(transaction));
  if (!outcome) co_return fail(outcome.error());
  if (outcome->committed()) co_return Result<>{};
  co_return co_await start_again(tree_, std::move(entry), *outcome);
}

Task<Result<>> TreeDirectories::remove(NamespaceId ns, std::string path) {
  for (Attempts attempts;;) {
    auto target = co_await resolve(tree_, ns, path);
    auto removed = target ? co_await try_remove(std::move(*target)) : fail(target.error());
    if (removed || removed.error().code() != Errc::stale) co_return removed;
    KISEKI_CO_TRY(co_await attempts.next(*tree_.services().clock, *tree_.services().rng));
  }
}

Task<Result<>> TreeDirectories::try_remove(ResolvedPath target) {
  auto entry = co_await locate(tree_, target, NameType::directory);
  if (!entry) co_return fail(std::move(entry).error());
  const auto visible = co_await is_visible(tree_, *entry);
  if (!visible) co_return fail(visible.error());
  if (!*visible) {
    const auto object = co_await locate(tree_, target, NameType::object);
    if (!object) co_return fail(object.error());
    if (object->record) co_return fail(Errc::not_directory, "a file");
    co_return fail(Errc::not_found, "no such directory");
  }
  auto transaction = tree_.begin(*entry);
  KISEKI_CO_TRY(co_await add_empty_removal(tree_, transaction, *entry));
  transaction.erase(entry->key);
  const auto outcome = co_await tree_.commit(*entry, std::move(transaction));
  if (!outcome) co_return fail(outcome.error());
  if (!outcome->committed()) co_return co_await start_again(tree_, std::move(*entry), *outcome);
  tree_.remember(entry->directory.ns, {target.parent.id, target.name, InodeId{}});
  co_return Result<>{};
}

Task<Result<DirectoryAttributes>> TreeDirectories::stat(NamespaceId ns, std::string path) {
  for (Attempts attempts;;) {
    auto target = co_await resolve(tree_, ns, path);
    auto found = target ? co_await try_stat(std::move(*target)) : fail(target.error());
    if (found || found.error().code() != Errc::stale) co_return found;
    KISEKI_CO_TRY(co_await attempts.next(*tree_.services().clock, *tree_.services().rng));
  }
}

Task<Result<DirectoryAttributes>> TreeDirectories::try_stat(ResolvedPath target) {
  const auto entry = co_await locate(tree_, target, NameType::directory);
  if (!entry) co_return fail(entry.error());
  const auto visible = co_await is_visible(tree_, *entry);
  if (!visible) co_return fail(visible.error());
  if (!*visible) co_return fail(Errc::not_found, "no such directory");
  const NamespacePtr& ns = entry->directory.ns;
  auto directory = co_await tree_.open(ns, entry->record->id);
  const auto header = co_await tree_.header(ns, entry->record->id);
  if (!header) co_return fail(header.error());
  if (!directory || !*header) co_return fail(Errc::stale, "it has gone");
  const auto sum = co_await tree_.measure(std::move(*directory));
  if (!sum && sum.error().code() == Errc::not_found) co_return fail(Errc::stale, "it has gone");
  if (!sum) co_return fail(sum.error());
  co_return DirectoryAttributes{.entries = sum->entries,
                                .subdirectories = sum->subdirectories,
                                .logical = sum->logical,
                                .modified_ms = sum->modified_ms,
                                .is_explicit = (*header)->link.is_explicit};
}

Task<Result<>> TreeDirectories::rename(NamespaceId ns, std::string from, std::string to) {
  return detail::rename(tree_, ns, std::move(from), std::move(to));
}

}  // namespace kiseki::fs::detail
