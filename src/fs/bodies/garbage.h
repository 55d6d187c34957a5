#pragma once

#include "fs/tree/tree.h"

// What commits and crashes leave of bodies (docs/formats/map-page.md). Every erasure may be repeated, and
// stopped anywhere.

namespace kiseki::fs::detail {

/// Stands for rows to be erased: a garbage or a pending row.
shard::Record garbage_record(InodeId id, shard::EntryType type, shard::Home home, shard::Body body);

/// Adds to `transaction`, which erases or replaces the entry of `slot` and names no other leaf, what frees
/// its body: the inline row if the same shard has it, else a garbage row.
void free_body(Tree& tree, shard::Transaction& transaction, const EntrySlot& slot);
/// The same for transactions over several leaves, where no garbage row can be written: names every row.
Task<Result<>> free_rows(Tree& tree, shard::Transaction& transaction, const EntrySlot& slot);

/// A garbage row, in `leaf`, for the rows of a body.
void add_garbage(shard::Transaction& transaction, shard::LeafAddress leaf, InodeId file, shard::Home home,
                 shard::Body body);

/// What will name rows, or named them: the value of pending and garbage rows.
struct RowOwner {
  std::string name;        ///< Of the upload's entry in the uploads tree, when the rows are an upload's.
  InodeId upload;          ///< Of a part; 0: the rows are an object's or an upload's.
  std::uint32_t part = 0;  ///< Its number.
};
/// A pending row for the pages of a body, or for an upload that is being completed.
shard::Record pending_record(InodeId id, shard::EntryType type);
std::string encode(const RowOwner& owner);
/// Of a pending or garbage row.
Result<RowOwner> open_owner(const NamespaceContext& ns, const shard::Row& row);

/// Erases every map page of a body.
Task<Result<>> erase_pages(Tree& tree, NamespacePtr ns, InodeId file);

}  // namespace kiseki::fs::detail
