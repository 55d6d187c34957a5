#include "chunk/device/header_cache.h"

namespace kiseki::chunk::detail {

Bytes HeaderCache::size_of(const BlockChecks& checks) {
  constexpr Bytes overhead = 200;  // of the list, the map and the vectors
  return overhead + checks.tags.size() * (crypto::tag_size + sizeof(std::uint32_t));
}

const BlockChecks* HeaderCache::find(Position position) {
  const auto found = by_position_.find(position);
  if (found == by_position_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return &found->second->checks;
}

void HeaderCache::insert(Position position, BlockChecks checks) {
  erase(position);
  used_ += size_of(checks);
  entries_.push_front({position, std::move(checks)});
  by_position_.emplace(position, entries_.begin());
  while (used_ > capacity_) erase(entries_.back().position);
}

void HeaderCache::erase(Position position) {
  const auto found = by_position_.find(position);
  if (found == by_position_.end()) return;
  used_ -= size_of(found->second->checks);
  entries_.erase(found->second);
  by_position_.erase(found);
}

}  // namespace kiseki::chunk::detail
