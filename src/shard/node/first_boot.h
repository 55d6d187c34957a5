#pragma once

#include "base/core.h"
#include "shard/node.h"
#include "shard/rows/node_row.h"

namespace kiseki::shard::detail {

/// Whether the log of the node has groups.
enum class LogState : std::uint8_t { empty, has_groups };

/// The node's own row. The first boot makes it, with the rows of the founders' shards; durable on return,
/// before any log of theirs. `wrong_format` when the store is another cluster's or another node's,
/// `corrupted` when the log has groups and the store nothing.
Task<Result<NodeRow>> establish(const Node::Options& options, kv::KvStore& store, LogState log,
                                BlockingPool& pool);

}  // namespace kiseki::shard::detail
