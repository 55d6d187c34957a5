#include "chunk/placement/moves.h"

#include <algorithm>

#include "base/assert.h"

namespace kiseki::chunk::detail {

namespace {

GroupEpoch next(GroupEpoch epoch) { return GroupEpoch(epoch.value() + 1); }

bool contains(std::span<const DeviceId> devices, const DeviceId& device) {
  return std::ranges::find(devices, device) != devices.end();
}

/// Of the indexes below `count`: those whose every device was listed, and those that may still come to it.
struct Tally {
  std::size_t listed = 0, reachable = 0;
};
Tally tally(const GroupRecord& group, std::size_t count, const Seen& seen) {
  Tally out;
  for (std::size_t index = 0; index < count; ++index) {
    bool listed = true;
    bool reachable = true;
    for (const PlacedIndex& place : group.previous) {
      if (place.index != index) continue;
      const bool gone = contains(seen.gone, place.device);
      listed = listed && !gone && contains(seen.listed, place.device);
      reachable = reachable && !gone;
    }
    out.listed += listed ? 1 : 0;
    out.reachable += reachable ? 1 : 0;
  }
  return out;
}

/// Whether any `few` of the `count` first indexes have a listed one, as far as that can still be had.
bool covers(const GroupRecord& group, std::size_t count, std::size_t few, const Seen& seen) {
  const Tally found = tally(group, count, seen);
  return found.listed >= std::min(count - few + 1, found.reachable);
}

}  // namespace

std::size_t fewest(ChunkFormat format) noexcept {
  if (format.data > 1) return format.data + 1U;
  return format.parity > 0 ? 2 : 1;
}

GroupRecord begin_move(GroupRecord group, DeviceList list) {
  for (std::size_t index = 0; index < group.current.size(); ++index) {
    group.previous.push_back({static_cast<std::uint8_t>(index), group.current[index]});
  }
  std::ranges::sort(group.previous);
  const auto repeated = std::ranges::unique(group.previous);
  group.previous.erase(repeated.begin(), repeated.end());
  group.current = std::move(list);
  group.epoch = next(group.epoch);
  return group;
}

bool may_end(const GroupRecord& group, Profile profile, const Seen& seen) {
  if (!group.is_moving()) return false;
  const std::size_t copies = profile.parity + 1U;
  const bool of_copies = covers(group, copies, fewest({.data = 1, .parity = profile.parity}), seen);
  if (profile.data == 1) return of_copies;
  const ChunkFormat coded{.data = profile.data, .parity = profile.parity};
  return of_copies && covers(group, profile.data + profile.parity, fewest(coded), seen);
}

GroupRecord end_move(GroupRecord group) {
  KISEKI_ASSERT(group.is_moving());
  group.previous.clear();
  group.epoch = next(group.epoch);
  return group;
}

std::vector<GroupRecord> doubled(std::span<const GroupRecord> groups) {
  std::vector<GroupRecord> children;
  children.reserve(groups.size() * 2);
  for (const GroupRecord& parent : groups) {
    KISEKI_ASSERT(parent.number.value() == children.size() / 2);
    for (int i = 0; i < 2; ++i) {
      GroupRecord child = parent;
      child.number = GroupNumber(static_cast<std::uint32_t>(children.size()));
      child.epoch = next(parent.epoch);
      children.push_back(std::move(child));
    }
  }
  return children;
}

}  // namespace kiseki::chunk::detail
