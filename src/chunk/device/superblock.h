#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "chunk/device/geometry.h"
#include "chunk/pool_map.h"
#include "disk/disk.h"

namespace kiseki::chunk::detail {

using DeviceUuid = DeviceId;

/// What a device knows of itself without its index (docs/formats/device.md).
struct Superblock {
  static constexpr std::size_t open_max = 16, starts_max = 8;

  std::uint64_t sequence = 0;
  DeviceUuid uuid{};
  ClusterId cluster{};
  /// Drawn one a start, oldest first; the first is the last that is known to stand in the map.
  std::vector<std::uint64_t> starts;
  Geometry geometry;
  RegionNumber next_region{1};
  GcEpoch epoch;
  std::vector<OpenRegion> open;
  std::string wrapped_secret;
};

/// One block, for the slot that `write_superblock` chooses.
Buffer encode(const Superblock& superblock);
/// `wrong_format` for what is no superblock of this version, `corrupted` for a damaged one.
Result<Superblock> decode_superblock(View block);

/// Over the older of both copies; durable on return.
Task<Result<>> write_superblock(disk::File& file, Superblock superblock);
/// The newer of the valid copies.
Task<Result<Superblock>> read_superblock(disk::File& file);

}  // namespace kiseki::chunk::detail
