#pragma once

#include "fs/namespaces/namespace_changes.h"

namespace kiseki::fs::detail {

/// Deletes namespaces (PROTOCOLS 3.9): tells every shard to refuse writes but those of the deletion, which
/// carry a higher configuration epoch; looks whether anything is left; then erases the namespace, or makes it
/// active again under a still higher epoch. A deletion that stopped half-way is undone, or finished, by
/// `settle`.
class NamespaceDeletion {
 public:
  /// `tree` outlives it.
  NamespaceDeletion(Tree& tree, TreeLimits limits) : tree_(tree), limits_(limits), changes_(tree) {}

  /// `entry`: of the namespace in its tenant's root directory. `not_empty`, and the namespace is as before.
  Task<Result<>> run(NamespaceId ns, EntrySlot entry);
  /// `settle` now and then, of what is old enough, until `scope` stops.
  Task<> settle_until_stopped(Scope& scope);
  /// Every namespace whose state the shards may not know, if it changed longer ago than `age_ms`.
  Task<Result<>> settle(std::uint64_t age_ms);

 private:
  using Found = NamespaceChanges::Found;

  Task<Result<>> erase(NamespaceId ns, Found found, EntrySlot entry);
  Task<Result<NamespacePtr>> unlock(NamespaceId ns, const NamespaceRow& row);
  Task<Result<>> empty(Tree& deleting, NamespacePtr ns);
  Task<Result<Found>> erase_last(Tree& deleting, NamespacePtr ns, Found found, EntrySlot entry);

  Tree& tree_;
  TreeLimits limits_;
  NamespaceChanges changes_;
};

}  // namespace kiseki::fs::detail
