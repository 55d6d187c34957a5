#include "fs/tree/tree_core.h"

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
  routes.insert_or_assign(std::move(low), leaf);
}

std::vector<std::string> DirectoryState::forget(LeafId leaf) {
  std::vector<std::string> separators;
  for (const auto& [low, known] : routes) {
    if (known == leaf) separators.push_back(low);
  }
  for (const auto& low : separators) routes.erase(low);
  allowances.erase(leaf);
  return separators;
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

Task<Result<shard::ReadReply>> TreeCore::read(std::vector<shard::Key> rows) {
  shard::ReadRequest request;
  for (auto& row : rows) request.gets.push_back({.key = std::move(row)});
  return client().read(std::move(request));
}

}  // namespace kiseki::fs::detail
