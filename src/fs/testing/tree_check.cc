#include "fs/testing/tree_check.h"

#include <fmt/format.h>
#include <set>

#include "base/codec.h"

namespace kiseki::fs {

using detail::NameType;
using shard::Kind;

TreeCheck::TreeCheck(const MemoryShards& shards, detail::NamespacePtr ns)
    : counters_([&shards](const shard::LeafAddress& leaf) { return shards.counters(leaf); }),
      ns_(std::move(ns)) {
  for (const auto& [name, row] : shards.all()) {
    if (row.key.leaf.ns == ns_->id) collect(row);
  }
  check();
}

TreeCheck::TreeCheck(const std::vector<shard::Row>& rows, CountersOf counters, detail::NamespacePtr ns)
    : counters_(std::move(counters)), ns_(std::move(ns)) {
  for (const auto& row : rows) {
    if (row.key.leaf.ns == ns_->id) collect(row);
  }
  check();
}

void TreeCheck::check() {
  walk(detail::root_directory, {});
  walk(detail::uploads_tree, "uploads:");
  for (const auto& [id, rows] : directories_) {
    if (!rows.reached) leftovers_.push_back(fmt::format("directory {} is not linked", id.value()));
  }
}

void TreeCheck::expect(bool holds, std::string words) {
  if (!holds) problems_.push_back(std::move(words));
}

void TreeCheck::collect(const shard::Row& row) {
  const auto& leaf = row.key.leaf;
  if (row.key.kind == Kind::header) {
    auto header = detail::open_header(*ns_, leaf.container, row.record);
    expect(header.has_value(), "a header does not open");
    if (header) directories_[leaf.container].header.emplace(std::move(*header));
  }
  if (row.key.kind == Kind::guard) {
    auto guard = detail::open_guard(*ns_, leaf, row.record);
    expect(guard.has_value(), "a guard does not open");
    if (guard) directories_[leaf.container].leaves[leaf.leaf].guard = std::move(*guard);
  }
  if (row.key.kind == Kind::entry) directories_[leaf.container].leaves[leaf.leaf].entries.push_back(row);
  if (row.key.kind == Kind::pending) leftovers_.push_back("a pending row");
  if (row.key.kind == Kind::index_page) {
    const auto value = detail::unseal(*ns_->keys, row.key, row.record);
    expect(value.has_value(), "an index page does not open");
    Decoder item(as_view(row.key.item));
    (void)item.integer<std::uint8_t>();
    if (value) {
      directories_[leaf.container].index[item.integer<std::uint64_t>()] =
          *detail::IndexPage::decode(as_view(*value));
    }
  }
}

std::size_t TreeCheck::walk(InodeId id, const std::string& path) {
  auto& rows = directories_[id];
  expect(!rows.reached, path + ": linked twice");
  rows.reached = true;
  expect(rows.header.has_value(), path + ": no header");
  if (!rows.header) return 0;
  std::set<LeafId> seen;
  std::size_t entries = 0;
  std::string low;
  for (std::optional<LeafId> at = LeafId{}; at;) {
    const auto found = rows.leaves.find(*at);
    if (found == rows.leaves.end() || !found->second.guard || !seen.insert(*at).second) {
      expect(false, path + ": the leaves are not a chain");
      break;
    }
    const auto& [leaf, content] = *found;
    const auto& guard = *content.guard;
    expect(guard.low == low, path + ": the fences leave a gap");
    if (guard.frozen) leftovers_.push_back(path + ": a frozen leaf");
    if (!leaf.is_none() && content.entries.empty()) leftovers_.push_back(path + ": an empty leaf");
    for (const auto& row : content.entries) walk_entry(row, guard, id, path);
    compare_counters(id, leaf, content);
    entries += content.entries.size();
    ++leaves_;
    low = guard.high.value_or("");
    at = guard.high ? std::optional(guard.right) : std::nullopt;
  }
  for (const auto& [leaf, content] : rows.leaves) {
    expect(seen.contains(leaf), fmt::format("{}: leaf {} is in no chain", path, leaf.value()));
  }
  walk_index(rows, path);
  return entries;
}

void TreeCheck::walk_entry(const shard::Row& row, const detail::Guard& guard, InodeId parent,
                           const std::string& path) {
  const auto bytes = detail::unseal(*ns_->keys, row.key, row.record);
  if (!bytes) return expect(false, path + ": an entry does not open");
  const auto value = detail::decode_entry(*bytes);
  if (!value) return expect(false, path + ": an entry is malformed");
  const bool is_directory = row.record.type == shard::EntryType::directory;
  const auto type = is_directory ? NameType::directory : NameType::object;
  const std::string whole = path + value->name;
  expect(guard.covers(detail::sort_key(value->name, type)), whole + ": outside the fences");
  const auto token = detail::token_of(directories_[parent].header->name_key, value->name, type);
  expect(row.key.item == detail::item_of(token), whole + ": another token");
  if (!is_directory) {
    expect(objects_.emplace(whole, value->rest).second, whole + ": twice");
    references_[whole] = row.record.references.size();
    return;
  }
  const auto& child = directories_[row.record.id];
  expect(child.header && child.header->link.parent == parent, whole + ": its header names another parent");
  expect(child.header && child.header->name == value->name, whole + ": its header has another name");
  const auto same_token = child.header && as_text(View(child.header->link.token)) == row.key.item;
  expect(same_token, whole + ": its header has another token");
  const bool is_explicit = child.header && child.header->link.is_explicit;
  if (is_explicit) explicit_.insert(whole);
  const std::size_t entries = walk(row.record.id, whole + "/");
  if (entries == 0 && !is_explicit) leftovers_.push_back(whole + "/: an empty directory");
}

void TreeCheck::compare_counters(InodeId id, LeafId leaf, const Leaf& rows) {
  const auto counters = counters_({ns_->id, id, leaf});
  shard::Counters counted;
  for (const auto& row : rows.entries) {
    ++counted.entries;
    if (row.record.type == shard::EntryType::directory) ++counted.subdirectories;
    counted.entry_bytes += row.record.encode().size();
    counted.logical += row.record.logical;
  }
  expect(counters.entries == counted.entries && counters.subdirectories == counted.subdirectories &&
             counters.entry_bytes == counted.entry_bytes && counters.logical == counted.logical,
         fmt::format("counters of leaf {} differ", leaf.value()));
}

void TreeCheck::walk_index(const Rows& rows, const std::string& path) {
  std::vector<std::uint64_t> next;
  if (rows.index.contains(0)) next.push_back(0);
  std::size_t reached = 0;
  while (!next.empty()) {
    const auto found = rows.index.find(next.back());
    next.pop_back();
    expect(found != rows.index.end(), path + ": the index names a page that is not there");
    if (found == rows.index.end()) continue;
    ++reached;
    index_height_ = std::max<std::size_t>(index_height_, found->second.height);
    if (found->second.height == 0) continue;
    for (const auto& [separator, child] : found->second.children) next.push_back(child);
  }
  expect(reached == rows.index.size(), path + ": index pages that nothing leads to");
}

}  // namespace kiseki::fs
