#pragma once

#include <memory>
#include <unordered_map>

#include "fs/services.h"
#include "keys/keys.h"
#include "shard/transaction.h"

namespace kiseki::fs::detail {

/// A namespace unlocked, as it was when read. Shared by the cache and the operations that began with it.
struct NamespaceContext {
  NamespaceId id;
  TenantId tenant;
  std::uint32_t epoch = 1;
  std::shared_ptr<const keys::NamespaceKeys> keys;
};
using NamespacePtr = std::shared_ptr<const NamespaceContext>;

/// Unlocked namespaces of one core.
class NamespaceCache {
 public:
  explicit NamespaceCache(Services services) : services_(services) {}

  /// `not_found` when it does not exist; `unavailable` while it is being deleted, which may fail yet.
  Task<Result<NamespacePtr>> get(NamespaceId ns);
  /// From now on `get` answers this, for the one who deletes the namespace.
  void assume(NamespacePtr ns) { cache_.insert_or_assign(ns->id, std::move(ns)); }
  /// The next `get` reads again: a transaction was refused for its configuration epoch.
  void forget(NamespaceId ns) { cache_.erase(ns); }

 private:
  static constexpr std::size_t entries_max = 4096;

  Services services_;
  std::unordered_map<NamespaceId, NamespacePtr> cache_;
};

}  // namespace kiseki::fs::detail
