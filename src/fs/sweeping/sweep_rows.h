#pragma once

#include "fs/tree/tree.h"

// What a sweeper does about one row. Each may be repeated, and stopped anywhere.

namespace kiseki::fs::detail {

/// Handles one row of kind feed. `keeps_tombstones_ms`: how old a tombstone gets.
Task<Result<>> sweep_feed(Tree& tree, shard::Row row, std::uint64_t keeps_tombstones_ms);
/// A chain of directories whose session is fenced (chain.h): takes it away unless it is linked.
Task<Result<>> sweep_chain(Tree& tree, shard::Row row);
/// Erases the rows that a garbage row names, then the row.
Task<Result<>> sweep_garbage(Tree& tree, shard::Row row);
/// For pending rows of fenced sessions whose type is object or upload: frees what was never linked, then
/// erases the row.
Task<Result<>> sweep_pending(Tree& tree, shard::Row row);
/// Handles every feed and garbage row of a namespace, whatever its age.
Task<Result<>> drain(Tree& tree, NamespaceId ns);

}  // namespace kiseki::fs::detail
