#pragma once

#include <span>

#include "base/result.h"
#include "chunk/pool_map.h"

namespace kiseki::chunk::detail {

/// A device that fragments may be placed on.
struct Site {
  DeviceId device{};
  std::uint32_t domain = 0;  ///< Sites of one failure domain have the same.
  Bytes weight = 0;          ///< > 0
};

/// Those devices of the pool that are to be written, in order of their ids. Of a node without a record the
/// rack is the node's own.
std::vector<Site> sites_of(const PoolRecord& pool, std::span<const DeviceRecord> devices,
                           std::span<const NodeRecord> nodes);

/// 8.11: groups, as a power of two, at least 64 x devices / (k + m) of them.
std::uint8_t group_bits_for(std::size_t devices, Profile profile) noexcept;
/// The group of a chunk: the leading bits of its id.
GroupNumber group_of(const ChunkId& chunk, std::uint8_t group_bits) noexcept;

/// Lists for the groups of a pool, by number, from those that stand (empty ones for a new pool): every device
/// gets its share by weight, two indexes of a group share a domain only where there are too few, and as
/// little moves as that allows. What is vacant, or moves, goes where weighted rendezvous hashing sends it. A
/// device that stays keeps its index. `invalid_argument` when there are fewer sites than indexes.
Result<std::vector<DeviceList>> place(const PoolRecord& pool, std::vector<DeviceList> lists,
                                      std::span<const Site> sites);

/// Groups in which two indexes share a domain.
std::size_t sharing_groups(std::span<const DeviceList> lists, std::span<const Site> sites);

}  // namespace kiseki::chunk::detail
