#pragma once

#include "chunk/pools/calls.h"
#include "chunk/pools/services.h"

namespace kiseki::chunk::detail {

/// Put or touch of all fragments (PROTOCOLS 8.4): done when every index is durable, or as many as a commit
/// may count and each other one's device is not active or late. `unavailable`, `no_space`, `stale` when a
/// device knows another version of the group.
Task<Result<PutReply>> put_fragments(PoolServices services, PlacedGroup target,
                                     std::vector<Fragment> fragments);
/// The same for a chunk that is there already; `not_found` when too few of its fragments are.
Task<Result<PutReply>> touch_fragments(PoolServices services, PlacedGroup target, FragmentKey first,
                                       ChunkReference reference);

}  // namespace kiseki::chunk::detail
