#pragma once

#include "fs/directories.h"
#include "fs/tree/tree.h"

namespace kiseki::fs::detail {

/// A path as the directory that holds its last name, and that name.
struct ResolvedPath {
  Directory parent;
  std::string name;
  bool as_directory = false;  ///< The path ended in '/'.
};
/// Components are not empty, "." or "..": `invalid_argument`. `not_found`, `not_directory` when there is no
/// such parent. Steps of the path are confirmed one by one, as they are walked.
Task<Result<ResolvedPath>> resolve(Tree& tree, NamespaceId ns, std::string path);

/// Directories by their paths.
class TreeDirectories final : public Directories {
 public:
  explicit TreeDirectories(Tree& tree) : tree_(tree) {}

  Task<Result<>> make(NamespaceId ns, std::string path) override;
  Task<Result<>> remove(NamespaceId ns, std::string path) override;
  Task<Result<DirectoryAttributes>> stat(NamespaceId ns, std::string path) override;
  Task<Result<>> rename(NamespaceId ns, std::string from, std::string to) override;

 private:
  // `stale`: what was read has changed, so from the top.
  Task<Result<>> try_make(ResolvedPath target);
  Task<Result<>> adopt(EntrySlot entry, EntrySlot object);
  Task<Result<>> try_remove(ResolvedPath target);
  Task<Result<DirectoryAttributes>> try_stat(ResolvedPath target);

  Tree& tree_;
};

/// Adds what takes the directory of an entry away, but for the entry: `not_empty` when it holds more than
/// implicit directories, `stale` when it changes meanwhile.
Task<Result<>> add_empty_removal(Tree& tree, shard::Transaction& transaction, const EntrySlot& entry);
/// Whether users see the directory of an entry: it is explicit or holds something. False without an entry.
Task<Result<bool>> is_visible(Tree& tree, const EntrySlot& entry);
/// The entry of a resolved path, to write it. `stale` when the parent has gone.
Task<Result<EntrySlot>> locate(Tree& tree, ResolvedPath target, NameType type);
/// After a refusal: `stale`, or why another attempt is in vain.
Task<Result<>> start_again(Tree& tree, EntrySlot slot, shard::Outcome outcome);

}  // namespace kiseki::fs::detail
