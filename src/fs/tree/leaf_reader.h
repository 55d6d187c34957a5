#pragma once

#include "fs/tree/splitter.h"

namespace kiseki::fs::detail {

/// Reads leaves whole, and tells which directories lists show.
class LeafReader {
 public:
  LeafReader(TreeCore& core, Splitter& splitter, Tree& tree)
      : core_(core), splitter_(splitter), tree_(tree) {}

  Task<Result<ListedLeaf>> read_leaf(Directory directory, std::string from);
  /// From memory if the guard and the counters, read now, say that nothing has changed.
  Task<Result<ListedLeafPtr>> look_at(Directory directory, std::string from);
  Task<Result<std::vector<bool>>> visible(NamespacePtr ns, std::vector<InodeId> directories);

 private:
  Task<Result<LeafAnswer>> read_whole(Directory directory, std::string from);
  static Result<ListedLeaf> opened(const Directory& directory, LeafAnswer answer);
  /// Whether anything but implicit directories is in it or below.
  Task<Result<bool>> holds_objects(NamespacePtr ns, InodeId directory);
  Task<Result<bool>> any_shows(NamespacePtr ns, const ListedLeaf& leaf);
  Task<Result<bool>> is_explicit(NamespacePtr ns, InodeId directory);

  /// One who died in the middle of a split may have left the leaf so.
  Task<> finish_split(Directory directory, LeafId leaf);

  TreeCore& core_;
  Splitter& splitter_;
  Tree& tree_;
};

}  // namespace kiseki::fs::detail
