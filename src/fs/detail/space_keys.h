#pragma once

#include <memory>
#include <unordered_map>

#include "fs/services.h"
#include "keys/keys.h"
#include "shard/transaction.h"

namespace kiseki::fs::detail {

/// What the system shard says of a namespace (docs/formats/system-rows.md).
struct SpaceRow {
  TenantId tenant;
  shard::SpaceState state = shard::SpaceState::active;
  std::uint32_t epoch = 1;       ///< Configuration epoch.
  std::uint64_t changed_ms = 0;  ///< When the state was set.
  bool settled = true;           ///< Every shard has been told of the state.

  std::string encode() const;
  static Result<SpaceRow> decode(View bytes);
};

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

  /// `not_found` when it does not exist or is being deleted.
  Task<Result<SpacePtr>> get(NamespaceId space);
  /// The next `get` reads again: a transaction was refused for its configuration epoch.
  void forget(NamespaceId space) { cache_.erase(space); }

 private:
  static constexpr std::size_t entries_max = 4096;

  Services services_;
  std::unordered_map<NamespaceId, SpacePtr> cache_;
};

}  // namespace kiseki::fs::detail
