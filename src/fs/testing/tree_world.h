#pragma once

#include <algorithm>

#include "fs/testing/memory_world.h"
#include "fs/testing/tree_check.h"

// For tests of trees: small leaves, and entries whose value is what the test says.

namespace kiseki::fs::detail {

inline constexpr TreeLimits small_leaves{.entries_split = 8,
                                         .bytes_split = 1_MiB,
                                         .move_bytes_max = 2_MiB,
                                         .index_page_max = 200,
                                         .cached_max = 64};

/// As the header of `Tree` says an entry is written.
inline Task<Result<>> put(Tree& tree, NamespaceId ns, std::string key, std::string value,
                          Purpose purpose = Purpose::write) {
  Attempts attempts;
  while (true) {
    const auto slot = co_await tree.find(ns, key, purpose);
    if (!slot) co_return fail(slot.error());
    shard::Record record;
    record.type = shard::EntryType::object;
    record.home = slot->home();
    tree.seal_entry(*slot, record, value);
    auto transaction = tree.begin(*slot);
    transaction.put(slot->key, std::move(record));
    const auto outcome = co_await tree.commit(*slot, std::move(transaction));
    if (!outcome) co_return fail(outcome.error());
    if (outcome->committed()) co_return Result<>{};
    KISEKI_CO_TRY(co_await tree.recover(*slot, *outcome, attempts));
  }
}

/// False when there was none.
inline Task<Result<bool>> remove(Tree& tree, NamespaceId ns, std::string key) {
  Attempts attempts;
  while (true) {
    const auto found = co_await tree.find(ns, key, Purpose::read);
    if (!found) co_return fail(found.error());
    if (!found->record) co_return false;
    const auto slot = co_await tree.find(ns, key, Purpose::write);
    if (!slot) co_return fail(slot.error());
    if (!slot->record) co_return false;
    auto transaction = tree.begin(*slot);
    transaction.erase(slot->key);
    const auto outcome = co_await tree.commit(*slot, std::move(transaction));
    if (!outcome) co_return fail(outcome.error());
    if (outcome->committed()) co_return true;
    KISEKI_CO_TRY(co_await tree.recover(*slot, *outcome, attempts));
  }
}

inline Task<Result<std::optional<std::string>>> get(Tree& tree, NamespaceId ns, std::string key) {
  const auto slot = co_await tree.find(ns, std::move(key), Purpose::read);
  if (!slot) co_return fail(slot.error());
  if (!slot->record) co_return std::nullopt;
  co_return slot->value;
}

/// Every key below a directory, leaf by leaf.
inline Task<Result<>> list_below(Tree& tree, Directory directory, std::string path,
                                 std::vector<std::string>& keys) {
  std::optional<std::string> from = std::string();
  while (from) {
    const auto leaf = co_await tree.read_leaf(directory, *from);
    if (!leaf && leaf.error().code() == Errc::not_found) co_return Result<>{};
    if (!leaf) co_return fail(leaf.error());
    for (const auto& entry : leaf->entries) {
      // A leaf may begin before the key it was asked for.
      if (sort_key(entry.name, entry.type) < *from) continue;
      if (entry.type == NameType::object) {
        keys.push_back(path + entry.name);
        continue;
      }
      auto child = co_await tree.open(directory.ns, entry.record.id);
      if (!child && child.error().code() == Errc::not_found) continue;
      if (!child) co_return fail(std::move(child).error());
      KISEKI_CO_TRY(co_await list_below(tree, std::move(*child), path + entry.name + "/", keys));
    }
    from = leaf->high;
  }
  co_return Result<>{};
}

inline Task<Result<std::vector<std::string>>> list(Tree& tree, NamespaceId ns) {
  auto root = co_await tree.open(ns, root_directory);
  if (!root) co_return fail(std::move(root).error());
  std::vector<std::string> keys;
  KISEKI_CO_TRY(co_await list_below(tree, std::move(*root), {}, keys));
  co_return keys;
}

/// Sweeps until a round finds nothing left to do.
inline Result<> sweep_all(Gateway& gateway) {
  Result<> last;
  for (int round = 0; round < 20; ++round) {
    last = gateway.get(gateway.sweep());
    const auto& shards = gateway.world.shards;
    if (shards.count(shard::Kind::feed) + shards.count(shard::Kind::garbage) == 0) break;
  }
  return last;
}

/// Everything holds; after a sweep nothing is left over either.
inline void expect_well_formed(const TreeCheck& check) {
  for (const auto& problem : check.problems()) ADD_FAILURE() << problem;
}
inline void expect_swept(const TreeCheck& check) {
  expect_well_formed(check);
  for (const auto& leftover : check.leftovers()) ADD_FAILURE() << leftover;
}

}  // namespace kiseki::fs::detail
