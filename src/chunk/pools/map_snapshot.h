#pragma once

#include <map>
#include <optional>
#include <span>

#include "chunk/pools/map_rows.h"

namespace kiseki::chunk::detail {

/// The map of one moment, whole and consistent: every pool has all its groups, each list as many devices as
/// the profile has fragments, and all of them are known.
class MapSnapshot {
 public:
  /// Rows in any order. `corrupted`, `wrong_format`.
  static Result<MapSnapshot> parse(std::span<const MapRow> rows);

  template <class Record>
  struct Versioned {
    Record record;
    Stamp version;
  };

  const std::map<NodeId, Versioned<NodeRecord>>& nodes() const noexcept { return nodes_; }
  const std::map<DeviceId, Versioned<DeviceRecord>>& devices() const noexcept { return devices_; }
  const std::map<PoolId, Versioned<PoolRecord>>& pools() const noexcept { return pools_; }
  /// By number, all of the pool; nothing: no such pool.
  std::span<const Versioned<GroupRecord>> groups(PoolId pool) const;
  /// The group that a chunk belongs to; null: no such pool.
  const GroupRecord* group_of(const ChunkName& chunk) const;

 private:
  Result<> take(const MapRow& row);
  Result<> check() const;
  Result<> check(const PoolRecord& pool) const;

  std::map<NodeId, Versioned<NodeRecord>> nodes_;
  std::map<DeviceId, Versioned<DeviceRecord>> devices_;
  std::map<PoolId, Versioned<PoolRecord>> pools_;
  std::map<PoolId, std::vector<Versioned<GroupRecord>>> groups_;
};

}  // namespace kiseki::chunk::detail
