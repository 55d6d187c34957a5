#pragma once

#include <span>

#include "chunk/pool_map.h"

namespace kiseki::chunk::detail {

/// The fewest indexes of a chunk that a commit may count (PROTOCOLS 8): k + 1 of a code, two copies.
std::size_t fewest(ChunkFormat format) noexcept;

/// 8.5 a: the group goes to `list`. Under way already, it starts again, and whatever any list named since it
/// last stood still is to be listed.
GroupRecord begin_move(GroupRecord group, DeviceList list);

/// What a mover has seen when it asks whether a move may end.
struct Seen {
  std::span<const DeviceId> listed;  ///< Whose whole range of the group was copied; in any order.
  std::span<const DeviceId> gone;
};
/// 8.5 d ii: every choice of as few previous indexes as a commit may count has one that is listed, so no
/// committed chunk was missed.
bool may_end(const GroupRecord& group, Profile profile, const Seen& seen);

/// 8.5 d: the previous lists are dropped.
GroupRecord end_move(GroupRecord group);

/// 8.1: twice as many groups, each child under its parent's lists and above its epoch. By number, all of the
/// pool.
std::vector<GroupRecord> doubled(std::span<const GroupRecord> groups);

}  // namespace kiseki::chunk::detail
