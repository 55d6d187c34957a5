#pragma once

#include "fs/names/system_rows.h"
#include "fs/tree/tree.h"

namespace kiseki::fs::detail {

/// Changes of what a namespace is, each under a configuration epoch of its own (PROTOCOLS 3.9): the row says
/// it first, in one commit that asserts the row as it was read, then every shard is told. Whoever reads a row
/// that the shards may not know yet tells them, and so does `NamespaceDeletion::settle`.
class NamespaceChanges {
 public:
  explicit NamespaceChanges(Tree& tree) : tree_(tree) {}  // outlives it

  struct Found {
    NamespaceRow row;
    Stamp version;
  };
  /// `not_found`.
  Task<Result<Found>> read(NamespaceId ns);
  /// A new state under a new epoch, then every shard is told. `conflict` when the row is another by now.
  Task<Result<Found>> change(NamespaceId ns, Found found, shard::NamespaceState state);
  /// The same with a new configuration in the same commit, of a namespace that is active.
  Task<Result<Found>> configure(NamespacePtr ns, Found found, Configuration configuration);
  Task<Result<Found>> tell(NamespaceId ns, Found found);
  /// What a change makes of a row.
  NamespaceRow next(NamespaceRow row, shard::NamespaceState state) const;

 private:
  Task<Result<Found>> put(NamespaceId ns, Found found, NamespaceRow row, shard::Transaction beside);

  Tree& tree_;
};

}  // namespace kiseki::fs::detail
