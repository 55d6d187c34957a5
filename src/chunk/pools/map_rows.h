#pragma once

#include "base/result.h"
#include "chunk/map_store.h"
#include "chunk/pool_map.h"

namespace kiseki::chunk::detail {

MapRow row_of(const NodeRecord& node, Stamp version = {});
MapRow row_of(const DeviceRecord& device, Stamp version = {});
MapRow row_of(const PoolRecord& pool, Stamp version = {});
MapRow row_of(const GroupRecord& group, Stamp version = {});

// `wrong_format` for another version of the row, `corrupted` for what no build writes. The kind is the
// caller's to look at.
Result<NodeRecord> decode_node(const MapRow& row);
Result<DeviceRecord> decode_device(const MapRow& row);
Result<PoolRecord> decode_pool(const MapRow& row);
Result<GroupRecord> decode_group(const MapRow& row);

/// k, m and their sum are in range.
bool is_known(Profile profile) noexcept;

}  // namespace kiseki::chunk::detail
