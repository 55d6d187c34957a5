#pragma once

#include "fs/tree/walk.h"

namespace kiseki::fs::detail {

/// How much a directory holds, over all of its leaves (PROTOCOLS 2.10), each as it was when it was read: of
/// up to `TreeLimits::leaves_exact` leaves now, of more within `leaf_age` for each. What this file system
/// changed before is in it. `not_found` when the directory has gone.
Task<Result<shard::Counters>> measure(TreeCore& core, Directory directory);

/// This file system has put or erased the entry, or may have: `measure` looks again.
void note_changed(const EntrySlot& entry);

}  // namespace kiseki::fs::detail
