#pragma once

#include "fs/detail/tree.h"

namespace kiseki::fs::detail {

/// The first leaf of a file's or upload's own container.
shard::LeafAddress own_leaf(NamespaceId ns, InodeId container);
/// The inline row of a body, in the leaf where its entry was made.
shard::Key inline_key(NamespaceId ns, shard::Home home, InodeId file);
/// The row that stands for the pages of a body as long as nothing names them, by the session that writes
/// them.
shard::Key body_pending_key(Tree& tree, NamespaceId ns, InodeId file);
/// The leaf of the map page that begins at `first` (PROTOCOLS 1.6).
shard::LeafAddress page_leaf(NamespaceId ns, InodeId file, Bytes first);

/// Commits changes of rows that are no entries. Starts again by itself where that is all it takes; the
/// outcome is committed, or refused for an assert (`version`, `exists`, `missing`) or `chunk_epoch`.
/// `not_found` when the namespace is gone.
Task<Result<shard::Outcome>> commit_rows(Tree& tree, NamespacePtr ns, shard::Transaction transaction);

/// One row, if it is there.
Task<Result<std::optional<shard::Record>>> read_row(Tree& tree, shard::Key key);
/// Rows of one kind with item ≥ `from`.
Task<Result<shard::ReadReply::Scanned>> scan_rows(Tree& tree, shard::Scan scan);

}  // namespace kiseki::fs::detail
