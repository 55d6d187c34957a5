#pragma once

#include "fs/tree/index_tree.h"
#include "fs/tree/tree_core.h"

namespace kiseki::fs::detail {

/// The stored fence index of directories: sealed pages under leaf 0 (docs/formats/directory.md). A hint:
/// wrong or missing it costs hops along right siblings, never an answer.
class DirectoryIndex {
 public:
  struct Route {
    std::string separator;
    LeafId leaf;
  };
  struct Change {
    enum class Type : std::uint8_t { add, remove };
    Type type;
    Route route;
  };

  explicit DirectoryIndex(TreeCore& core) : core_(core) {}

  /// Of the last separator ≤ `key`, or < it. Teaches the directory's state what it read on the way.
  Task<Result<std::optional<Route>>> floor(Directory directory, std::string key);
  Task<Result<std::optional<Route>>> below(Directory directory, std::string key);
  /// All or nothing; `conflict` when others kept changing it.
  Task<Result<>> update(Directory directory, std::vector<Change> changes);
  /// The same beside the caller, unless one is under way; failures do not matter.
  void mend(Directory directory, std::vector<Change> changes);

  /// In a transaction that removes the directory: erases every page, as read now.
  Task<Result<>> erase_all(Directory directory, shard::Transaction& transaction);

 private:
  enum class Bound : std::uint8_t { inclusive, exclusive };
  Task<Result<std::optional<Route>>> find(Directory directory, std::string key, Bound bound);
  Task<Result<>> load(Directory directory, IndexTree& tree, std::uint64_t number);
  Task<Result<>> apply(Directory directory, IndexTree& tree, Change change);
  shard::Transaction write(const Directory& directory, const IndexTree& tree);
  /// Outlives the index that began it.
  static Task<> mend_now(TreeCore& core, Directory directory, std::vector<Change> changes);

  TreeCore& core_;
};

}  // namespace kiseki::fs::detail
