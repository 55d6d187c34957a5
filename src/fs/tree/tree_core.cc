#include "fs/tree/tree_core.h"

#include "base/assert.h"
#include "base/planted.h"

namespace kiseki::fs::detail {

namespace {

/// Of a node of a map, beside what it holds.
constexpr Bytes node_size = 64;

Bytes memory_of(std::string_view low) { return node_size + sizeof(std::string) + low.size(); }

Bytes memory_of(const Guard& guard) {
  return node_size + sizeof(Guard) + guard.low.size() + (guard.high ? guard.high->size() : 0);
}

}  // namespace

LeafId DirectoryState::route(std::string_view sort) const {
  const auto after = routes_.upper_bound(sort);
  return after == routes_.begin() ? LeafId{} : std::prev(after)->second;
}

std::vector<LeafId> DirectoryState::routes_between(std::string_view low,
                                                   const std::optional<std::string>& until,
                                                   std::size_t leaves_max) const {
  std::vector<LeafId> leaves{route(low)};
  for (auto next = routes_.upper_bound(low); next != routes_.end() && leaves.size() < leaves_max; ++next) {
    if (until && next->first >= *until) break;
    leaves.push_back(next->second);
  }
  return leaves;
}

void DirectoryState::learn(std::string low, LeafId leaf) {
  if (const auto known = routes_.find(low); known != routes_.end()) {
    known->second = leaf;
  } else if (take(memory_of(low))) {
    routes_.emplace(std::move(low), leaf);
  }
}

bool DirectoryState::take(Bytes bytes) {
  if (memory_->now + bytes > HintMemory::max) {
    routes_.clear();
    guards_.clear();
    allowances_.clear();
    give_back(used_);
  }
  if (memory_->now + bytes > HintMemory::max) return false;
  memory_->now += bytes;
  used_ += bytes;
  return true;
}

void DirectoryState::give_back(Bytes bytes) {
  memory_->now -= bytes;
  used_ -= bytes;
}

std::vector<std::string> DirectoryState::forget(LeafId leaf) {
  std::vector<std::string> separators;
  for (const auto& [low, known] : routes_) {
    if (known == leaf) separators.push_back(low);
  }
  for (const auto& low : separators) {
    give_back(memory_of(low));
    routes_.erase(low);
  }
  forget_allowance(leaf);
  forget_guard(leaf);
  return separators;
}

void DirectoryState::forget_guard(LeafId leaf) {
  const auto known = guards_.find(leaf);
  if (known == guards_.end()) return;
  give_back(memory_of(known->second));
  guards_.erase(known);
}

DirectoryState::Allowance* DirectoryState::allowance(LeafId leaf) {
  const auto known = allowances_.find(leaf);
  return known == allowances_.end() ? nullptr : &known->second;
}

void DirectoryState::allow(LeafId leaf, Allowance allowance) {
  if (auto* known = this->allowance(leaf); known != nullptr) {
    *known = allowance;
  } else if (take(node_size)) {
    allowances_.emplace(leaf, allowance);
  }
}

void DirectoryState::forget_allowance(LeafId leaf) {
  if (allowances_.erase(leaf) != 0) give_back(node_size);
}

const Guard* DirectoryState::guard(LeafId leaf) const {
  const auto known = guards_.find(leaf);
  return known == guards_.end() ? nullptr : &known->second;
}

Result<Guard> DirectoryState::open_guard(const NamespaceContext& ns, const shard::LeafAddress& leaf,
                                         const shard::Record& record) {
  const auto known = guards_.find(leaf.leaf);
  if (known != guards_.end() && known->second.generation == record.version) return known->second;
  auto guard = detail::open_guard(ns, leaf, record);
  if (!guard) return guard;
  forget_guard(leaf.leaf);
  if (take(memory_of(*guard))) guards_.emplace(leaf.leaf, *guard);
  return guard;
}

TreeCore::TreeCore(Services given, TreeLimits given_limits)
    : services(given),
      limits(given_limits),
      namespaces(given),
      id_leases(given),
      directories(limits.cached_max),
      names(limits.cached_max),
      background(given.executor) {}

shard::Transaction TreeCore::begin(const NamespacePtr& ns) const {
  shard::Transaction transaction;
  transaction.namespaces.push_back({ns->id, ns->epoch});
  transaction.time_ms = client().time_ms();
  return transaction;
}

LeafId TreeCore::new_leaf() const {
  constexpr std::uint64_t leaf_ids = (1ull << 31) - 1;
  return LeafId(static_cast<std::uint32_t>(1 + rng().below(leaf_ids)));
}

Result<> TreeCore::confirm(const NamespaceContext& ns, const std::vector<Step>& path,
                           const std::vector<std::optional<shard::Record>>& headers) {
  KISEKI_ASSERT(path.size() == headers.size());
  if (KISEKI_PLANTED("2.9 a remembered name is trusted")) return {};
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (!headers[i]) return fail(Errc::stale, "a directory has gone");
    const auto* known = directories.find({ns.id, path[i].child});
    const auto matches = [&](InodeId parent, std::string_view name) {
      return parent == path[i].parent && name == path[i].name;
    };
    if (known != nullptr && (*known)->header == headers[i]->version) {
      if (!matches((*known)->parent, (*known)->name)) return fail(Errc::stale, "a directory was renamed");
      continue;
    }
    auto header = open_header(ns, path[i].child, *headers[i]);
    if (!header) return fail(header.error());
    if (!matches(header->link.parent, header->name)) return fail(Errc::stale, "a directory was renamed");
    if (known == nullptr) continue;
    (*known)->header = header->version;
    (*known)->parent = header->link.parent;
    (*known)->name = std::move(header->name);
  }
  return {};
}

Task<Result<shard::ReadReply>> TreeCore::read(std::vector<shard::Key> rows) {
  const NamespaceId ns = rows.front().leaf.ns;
  shard::ReadRequest request;
  for (auto& row : rows) request.gets.push_back({.key = std::move(row)});
  auto reply = co_await client().read(std::move(request));
  if (reply) namespaces.note(ns, reply->configuration);
  co_return reply;
}

}  // namespace kiseki::fs::detail
