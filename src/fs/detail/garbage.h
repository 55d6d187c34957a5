#pragma once

#include "fs/detail/tree.h"

// What commits and crashes leave of bodies and uploads (docs/formats/map-page.md, upload.md). Every call may
// be repeated, and stopped anywhere.

namespace kiseki::fs::detail {

/// Adds to `transaction`, which erases or replaces the entry of `place` and touches no other leaf, what frees
/// the body: the inline row if it is in the same leaf, else a garbage row.
void free_body(shard::Transaction& transaction, const Place& place);
/// The same for transactions over several leaves, where no garbage row can be written: names every row.
Task<Result<>> free_rows(Tree& tree, shard::Transaction& transaction, const Place& place);

/// The garbage row that frees a body of pages or an upload's rows (`name`: of its entry in the uploads tree).
void add_garbage(Tree& tree, const SpacePtr& space, shard::Transaction& transaction, shard::LeafAddress leaf,
                 const shard::Record& of, std::string_view name);

/// Erases the rows that a garbage row names, then the row. For rows of kind `garbage`.
Task<Result<>> sweep_garbage(Tree& tree, shard::Row row);
/// For pending rows of fenced sessions whose type is object or upload: frees what was never linked, then
/// erases the row.
Task<Result<>> sweep_pending(Tree& tree, shard::Row row);

}  // namespace kiseki::fs::detail
