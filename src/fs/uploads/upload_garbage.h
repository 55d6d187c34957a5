#pragma once

#include "fs/tree/tree.h"

// What completions, aborts and crashes leave of uploads (docs/formats/upload.md). Every erasure may be
// repeated, and stopped anywhere.

namespace kiseki::fs::detail {

/// A garbage row for an upload's parts and its entry in the uploads tree, named `name`.
void add_upload_garbage(Tree& tree, const NamespacePtr& ns, shard::Transaction& transaction, InodeId upload,
                        std::string_view name);

/// Erases an upload's entry in the uploads tree; fine when it is gone.
Task<Result<>> erase_upload_entry(Tree& tree, NamespacePtr ns, InodeId upload, std::string name);
/// Erases the rows of every part, and the map pages they name.
Task<Result<>> erase_parts(Tree& tree, NamespacePtr ns, InodeId upload);

}  // namespace kiseki::fs::detail
