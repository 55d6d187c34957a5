#pragma once

#include "fs/detail/system_rows.h"
#include "fs/detail/tree.h"

namespace kiseki::fs::detail {

/// Deletes namespaces (PROTOCOLS 3.9): tells every shard to refuse writes but those of the deletion, which
/// carry a higher configuration epoch; looks whether anything is left; then erases the namespace, or makes it
/// active again under a still higher epoch. A deletion that stopped half-way is undone, or finished, by
/// `settle`.
class SpaceDeletion {
 public:
  /// `tree` outlives it.
  SpaceDeletion(Tree& tree, TreeLimits limits) : tree_(tree), limits_(limits) {}

  /// `entry`: of the namespace in its tenant's root directory. `not_empty`, and the namespace is as before.
  Task<Result<>> run(NamespaceId space, Place entry);
  /// Every namespace whose state the shards may not know, if it changed longer ago than `age_ms`.
  Task<Result<>> settle(std::uint64_t age_ms);

 private:
  struct Found {
    SpaceRow row;
    Stamp version;
  };
  Task<Result<Found>> read(NamespaceId space);
  /// A new state under a new epoch, then every shard is told. `conflict` when the row is another by now.
  Task<Result<Found>> change(NamespaceId space, Found found, shard::SpaceState state);
  Task<Result<Found>> put(NamespaceId space, Found found, SpaceRow row);
  Task<Result<Found>> tell(NamespaceId space, Found found);
  Task<Result<>> erase(NamespaceId space, Found found, Place entry);
  Task<Result<SpacePtr>> unlock(NamespaceId space, const SpaceRow& row);
  Task<Result<>> empty(Tree& deleting, SpacePtr space);
  Task<Result<Found>> erase_last(Tree& deleting, SpacePtr space, Found found, Place entry);

  Tree& tree_;
  TreeLimits limits_;
};

}  // namespace kiseki::fs::detail
