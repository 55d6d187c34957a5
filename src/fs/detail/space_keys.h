#pragma once

#include <memory>
#include <unordered_map>

#include "fs/services.h"
#include "keys/keys.h"
#include "shard/transaction.h"

namespace kiseki::fs::detail {

/// A namespace unlocked, as it was when read. Shared by the cache and the operations that began with it.
struct SpaceContext {
  NamespaceId id;
  TenantId tenant;
  std::uint32_t epoch = 1;
  std::shared_ptr<const keys::NamespaceKeys> keys;
};
using SpacePtr = std::shared_ptr<const SpaceContext>;

/// Unlocked namespaces of one core.
class SpaceKeys {
 public:
  explicit SpaceKeys(Services services) : services_(services) {}

  /// `not_found` when it does not exist; `unavailable` while it is being deleted, which may fail yet.
  Task<Result<SpacePtr>> get(NamespaceId space);
  /// From now on `get` answers this, for the one who deletes the namespace.
  void assume(SpacePtr space) { cache_.insert_or_assign(space->id, std::move(space)); }
  /// The next `get` reads again: a transaction was refused for its configuration epoch.
  void forget(NamespaceId space) { cache_.erase(space); }

 private:
  static constexpr std::size_t entries_max = 4096;

  Services services_;
  std::unordered_map<NamespaceId, SpacePtr> cache_;
};

}  // namespace kiseki::fs::detail
