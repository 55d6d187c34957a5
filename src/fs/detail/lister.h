#pragma once

#include "fs/detail/walk.h"

namespace kiseki::fs::detail {

/// Reads leaves whole, and tells which directories lists show.
class Lister {
 public:
  Lister(TreeCore& core, Tree& tree) : core_(core), tree_(tree) {}

  Task<Result<ListedLeaf>> read_leaf(Directory directory, std::string from);
  Task<Result<std::vector<bool>>> visible(SpacePtr space, std::vector<InodeId> directories);

 private:
  /// Whether anything but implicit directories is in it or below.
  Task<Result<bool>> holds_objects(SpacePtr space, InodeId directory);
  Task<Result<bool>> any_shows(SpacePtr space, const ListedLeaf& leaf);
  Task<Result<bool>> is_explicit(SpacePtr space, InodeId directory);

  TreeCore& core_;
  Tree& tree_;
};

}  // namespace kiseki::fs::detail
