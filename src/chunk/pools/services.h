#pragma once

#include <algorithm>
#include <iterator>
#include <map>

#include "chunk/device.h"
#include "chunk/pools/latency.h"
#include "chunk/pools/map_snapshot.h"

namespace kiseki::chunk::detail {

/// What the calls of a store on one core work with; all of it outlives them.
struct PoolServices {
  const std::map<DeviceId, Device*>& devices;  ///< Those that can be reached.
  Scope& scope;
  Clock& clock;
  ErasureCodes& codes;
  Latency& reads;
};

/// The longest that a call to devices takes, whatever they do.
inline constexpr Duration call_limit = std::chrono::seconds(30);

inline Result<Device*> find_device(const PoolServices& services, const DeviceId& id) {
  const auto found = services.devices.find(id);
  if (found == services.devices.end()) return fail(Errc::unavailable, "a device that cannot be reached");
  return found->second;
}

/// Where a chunk is, by the map of one moment.
struct PlacedGroup {
  const MapSnapshot& map;
  const GroupRecord& group;

  GroupVersion version() const { return {map.pools().at(group.pool).record.group_bits, group.epoch}; }
  bool is_active(std::size_t index) const {
    const auto found = map.devices().find(group.current[index]);
    return found != map.devices().end() && found->second.record.state == DeviceState::active;
  }

  /// Those on active devices, then the others.
  std::vector<std::uint8_t> active_first(std::span<const std::uint8_t> indexes) const {
    std::vector<std::uint8_t> out;
    std::ranges::copy_if(indexes, std::back_inserter(out), [this](auto index) { return is_active(index); });
    std::ranges::copy_if(indexes, std::back_inserter(out), [this](auto index) { return !is_active(index); });
    return out;
  }
};

/// The devices that may have an index of a group, the current one first.
inline std::vector<DeviceId> places_of(const GroupRecord& group, std::uint8_t index) {
  std::vector<DeviceId> places{group.current[index]};
  for (const PlacedIndex& place : group.previous) {
    if (place.index == index && place.device != places.front()) places.push_back(place.device);
  }
  return places;
}

}  // namespace kiseki::chunk::detail
