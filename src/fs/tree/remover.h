#pragma once

#include "fs/tree/splitter.h"

namespace kiseki::fs::detail {

/// Takes leaves and directories away (PROTOCOLS 2.4, 2.5, 2.8). What turns out not to be empty stays: none of
/// the calls takes an entry with it, whoever writes at the same time.
class Remover {
 public:
  Remover(TreeCore& core, Splitter& splitter, Tree& tree) : core_(core), splitter_(splitter), tree_(tree) {}

  enum class Removal : std::uint8_t { gone, kept };

  /// `kept` for the first leaf, and while there are entries.
  Task<Result<Removal>> drop_leaf(Directory directory, LeafId leaf);
  /// Every empty leaf but the first.
  Task<Result<>> drop_leaves(Directory directory);
  /// `kept` when it is explicit, a root, not empty or has several leaves.
  Task<Result<Removal>> remove_directory(Directory directory);
  Task<Result<bool>> prune(Directory directory);
  /// What takes an empty directory of one leaf, but for its entry; nothing when it has several leaves or is
  /// not there.
  Task<Result<std::optional<Header>>> add_removal(Directory directory, shard::Transaction& transaction);

 private:
  enum class Try : std::uint8_t { gone, kept, again };
  Task<Result<Try>> try_drop(Directory directory, LeafId leaf);
  Task<Result<Try>> try_remove(Directory directory);
  Task<Result<Try>> commit(shard::Transaction transaction);
  Task<Result<>> announce_tombstone(Directory directory, LeafId leaf);
  Task<Result<bool>> prune_entries(Directory directory, const ListedLeaf& leaf);

  TreeCore& core_;
  Splitter& splitter_;
  Tree& tree_;
};

}  // namespace kiseki::fs::detail
