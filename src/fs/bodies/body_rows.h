#pragma once

#include "fs/tree/tree.h"

// Where the rows of a body lie (docs/formats/map-page.md).

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

}  // namespace kiseki::fs::detail
