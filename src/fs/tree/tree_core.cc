#include "fs/tree/tree_core.h"

#include "base/assert.h"
#include "base/planted.h"

namespace kiseki::fs::detail {

LeafId DirectoryState::route(std::string_view sort) const {
  const auto after = routes.upper_bound(sort);
  return after == routes.begin() ? LeafId{} : std::prev(after)->second;
}

std::vector<LeafId> DirectoryState::routes_between(std::string_view low,
                                                   const std::optional<std::string>& until,
                                                   std::size_t leaves_max) const {
  std::vector<LeafId> leaves{route(low)};
  for (auto next = routes.upper_bound(low); next != routes.end() && leaves.size() < leaves_max; ++next) {
    if (until && next->first >= *until) break;
    leaves.push_back(next->second);
  }
  return leaves;
}

void DirectoryState::learn(std::string low, LeafId leaf) {
  if (routes.size() >= routes_max) routes.clear();
  if (!has_room()) return;
  routes.insert_or_assign(std::move(low), leaf);
  count();
}

bool DirectoryState::has_room() {
  if (count_->now < HintCount::max) return true;
  routes.clear();
  guards.clear();
  count();
  return count_->now < HintCount::max;
}

void DirectoryState::count() {
  const std::size_t now = routes.size() + guards.size();
  count_->now += now - counted_;
  counted_ = now;
}

std::vector<std::string> DirectoryState::forget(LeafId leaf) {
  std::vector<std::string> separators;
  for (const auto& [low, known] : routes) {
    if (known == leaf) separators.push_back(low);
  }
  for (const auto& low : separators) routes.erase(low);
  allowances.erase(leaf);
  guards.erase(leaf);
  count();
  return separators;
}

Result<Guard> DirectoryState::open_guard(const NamespaceContext& ns, const shard::LeafAddress& leaf,
                                         const shard::Record& record) {
  const auto known = guards.find(leaf.leaf);
  if (known != guards.end() && known->second.generation == record.version) return known->second;
  auto guard = detail::open_guard(ns, leaf, record);
  if (!guard) return guard;
  if (guards.size() >= guards_max) guards.clear();
  if (!has_room()) return guard;
  guards.insert_or_assign(leaf.leaf, *guard);
  count();
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
  shard::ReadRequest request;
  for (auto& row : rows) request.gets.push_back({.key = std::move(row)});
  return client().read(std::move(request));
}

}  // namespace kiseki::fs::detail
