#pragma once

#include "fs/detail/tree.h"

// What commits and crashes leave of bodies and uploads (docs/formats/map-page.md, upload.md). Every sweep may
// be repeated, and stopped anywhere.

namespace kiseki::fs::detail {

/// Adds to `transaction`, which erases or replaces the entry of `place` and names no other leaf, what frees
/// its body: the inline row if it lies in the same leaf, else a garbage row.
void free_body(shard::Transaction& transaction, const Place& place);
/// The same for transactions over several leaves, where no garbage row can be written: names every row.
Task<Result<>> free_rows(Tree& tree, shard::Transaction& transaction, const Place& place);

/// A garbage row, in `leaf`, for the rows of a body.
void add_garbage(shard::Transaction& transaction, shard::LeafAddress leaf, InodeId file, shard::Home home,
                 shard::Body body);
/// A garbage row for an upload's parts and its entry in the uploads tree, named `name`.
void add_upload_garbage(Tree& tree, const NamespacePtr& ns, shard::Transaction& transaction, InodeId upload,
                        std::string_view name);

/// What will name rows, or named them: the value of pending and garbage rows.
struct RowOwner {
  std::string name;        ///< Of the upload's entry in the uploads tree, when the rows are an upload's.
  InodeId upload;          ///< Of a part; 0: the rows are an object's or an upload's.
  std::uint32_t part = 0;  ///< Its number.
};
/// A pending row for the pages of a body, or for an upload that is being completed.
shard::Record pending_record(InodeId id, shard::EntryType type);
std::string encode(const RowOwner& owner);

/// Erases the rows that a garbage row names, then the row.
Task<Result<>> sweep_garbage(Tree& tree, shard::Row row);
/// For pending rows of fenced sessions whose type is object or upload: frees what was never linked, then
/// erases the row.
Task<Result<>> sweep_pending(Tree& tree, shard::Row row);

/// Erases an upload's entry in the uploads tree; fine when it is gone.
Task<Result<>> erase_upload_entry(Tree& tree, NamespacePtr ns, InodeId upload, std::string name);

}  // namespace kiseki::fs::detail
