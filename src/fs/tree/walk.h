#pragma once

#include "fs/tree/directory_index.h"

namespace kiseki::fs::detail {

/// What to read of a leaf besides its guard.
struct LeafQuery {
  std::optional<shard::Token> entry;
  bool guarded = true;               ///< False: whoever finds the entry needs no guard.
  bool with_body = false;            ///< Also the entry's inline row.
  bool whole = false;                ///< Every entry.
  bool counted = false;              ///< The leaf's counters.
  std::vector<shard::Key> beside{};  ///< Rows of other leaves, asked for at the same time.
};

/// From one snapshot.
struct LeafAnswer {
  LeafId leaf;
  std::optional<Guard> guard;  ///< None: no such leaf.
  std::optional<shard::Record> entry;
  std::optional<shard::Record> body;
  std::vector<shard::Row> rows;
  shard::Counters counters;
  std::vector<std::optional<shard::Record>> beside;  ///< As asked.
};

/// `Errc::stale`: leaf 0 has no guard, so the directory is not there any more.
Task<Result<LeafAnswer>> read_leaf_rows(TreeCore& core, Directory directory, LeafId leaf, LeafQuery query);

/// Opens rows of kind entry, in order of their sort keys.
Result<std::vector<Listed>> open_entries(const NamespaceContext& ns, std::vector<shard::Row> rows);

/// One search for the leaf of a sort key: from a hint, along right siblings (PROTOCOLS 2.2, 2.3). What it
/// finds wrong about the hints it mends.
class Walk {
 public:
  Walk(TreeCore& core, Directory directory) : core_(core), index_(core), directory_(std::move(directory)) {}

  /// The covering leaf, or an earlier one that held the entry: a hit is valid as it is. `stale` when the
  /// directory has gone.
  Task<Result<LeafAnswer>> cover(std::string sort, LeafQuery query);
  /// The leaf whose right sibling is `leaf`, which begins at `low`. `stale` when there is none now.
  Task<Result<LeafAnswer>> left_of(LeafId leaf, std::string low);

 private:
  static constexpr int hops_max = 10000;

  Task<Result<LeafId>> step_right(const Guard& guard, std::string sort);
  Task<Result<LeafId>> leave_dead(LeafId leaf);
  void mend();

  TreeCore& core_;
  DirectoryIndex index_;
  Directory directory_;
  bool index_asked_ = false;
  bool hopped_ = false;
  std::vector<DirectoryIndex::Change> changes_;  // what the index should know
};

}  // namespace kiseki::fs::detail
