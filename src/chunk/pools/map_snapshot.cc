#include "chunk/pools/map_snapshot.h"

#include <algorithm>

#include "chunk/placement/placing.h"

namespace kiseki::chunk::detail {

namespace {

template <class Record, class Id>
Result<> insert(std::map<Id, MapSnapshot::Versioned<Record>>& into, Result<Record> record, Stamp version) {
  if (!record) return fail(std::move(record).error());
  const Id id = record->id;
  const bool fresh = into.try_emplace(id, std::move(*record), version).second;
  return fresh ? Result<>() : fail(Errc::corrupted, "map: a row twice");
}

std::unexpected<Error> bad_pool(PoolId pool, std::string_view what) {
  return fail(Errc::corrupted, fmt::format("map: pool {}: {}", pool.value(), what));
}

}  // namespace

Result<MapSnapshot> MapSnapshot::parse(std::span<const MapRow> rows) {
  MapSnapshot map;
  for (const MapRow& row : rows) KISEKI_TRY(map.take(row));
  for (auto& [pool, groups] : map.groups_) {
    std::ranges::sort(groups, {}, [](const auto& group) { return group.record.number; });
  }
  KISEKI_TRY(map.check());
  return map;
}

Result<> MapSnapshot::take(const MapRow& row) {
  switch (row.kind) {
    case MapKind::node:
      return insert(nodes_, decode_node(row), row.version);
    case MapKind::device:
      return insert(devices_, decode_device(row), row.version);
    case MapKind::pool:
      return insert(pools_, decode_pool(row), row.version);
    case MapKind::group: {
      auto group = decode_group(row);
      if (!group) return fail(std::move(group).error());
      groups_[group->pool].push_back({std::move(*group), row.version});
      return {};
    }
  }
  return fail(Errc::corrupted, "map: a row of another kind");
}

Result<> MapSnapshot::check() const {
  for (const auto& [id, pool] : pools_) KISEKI_TRY(check(pool.record));
  for (const auto& [id, groups] : groups_) {
    if (!pools_.contains(id)) return bad_pool(id, "groups of no pool");
  }
  return {};
}

Result<> MapSnapshot::check(const PoolRecord& pool) const {
  const auto all = groups(pool.id);
  const std::size_t width = pool.profile.data + pool.profile.parity;
  if (all.size() != std::size_t{1} << pool.group_bits) return bad_pool(pool.id, "not all of its groups");
  const auto is_known_device = [this](const DeviceId& device) { return devices_.contains(device); };
  for (std::size_t number = 0; number < all.size(); ++number) {
    const GroupRecord& group = all[number].record;
    if (group.number.value() != number) return bad_pool(pool.id, "not all of its groups");
    if (group.current.size() != width) return bad_pool(pool.id, "a list that is not of its profile");
    if (!std::ranges::all_of(group.current, is_known_device) ||
        !std::ranges::all_of(group.previous, is_known_device, &PlacedIndex::device)) {
      return bad_pool(pool.id, "a list with an unknown device");
    }
  }
  return {};
}

std::span<const MapSnapshot::Versioned<GroupRecord>> MapSnapshot::groups(PoolId pool) const {
  const auto found = groups_.find(pool);
  if (found == groups_.end()) return {};
  return found->second;
}

const GroupRecord* MapSnapshot::group_of(const ChunkName& chunk) const {
  const auto pool = pools_.find(chunk.pool);
  if (pool == pools_.end()) return nullptr;
  const GroupNumber number = detail::group_of(chunk.id, pool->second.record.group_bits);
  return &groups(chunk.pool)[number.value()].record;
}

}  // namespace kiseki::chunk::detail
