#pragma once

#include "fs/tree/tree.h"

namespace kiseki::fs::detail {

/// Commits changes of rows that are no entries. Starts again by itself where that is all it takes; the
/// outcome is committed, or refused for an assert (`version`, `exists`, `missing`) or `chunk_epoch`.
/// `not_found` when the namespace is gone.
Task<Result<shard::Outcome>> commit_rows(Tree& tree, NamespacePtr ns, shard::Transaction transaction);

Task<Result<>> erase_rows(Tree& tree, NamespacePtr ns, std::vector<shard::Key> rows);

/// One row, if it is there.
Task<Result<std::optional<shard::Record>>> read_row(Tree& tree, shard::Key key);
/// Rows of one kind with item ≥ `from`.
Task<Result<shard::ReadReply::Scanned>> scan_rows(Tree& tree, shard::Scan scan);

}  // namespace kiseki::fs::detail
