#pragma once

#include <memory>
#include <unordered_map>

#include "fs/configuration.h"
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
  Configuration configuration{};  ///< Of this epoch.
};
using NamespacePtr = std::shared_ptr<const NamespaceContext>;

/// Unlocked namespaces of one core, kept until a shard says that the configuration epoch rose: a transaction
/// is refused for it, and the reply of every read carries it.
class NamespaceCache {
 public:
  explicit NamespaceCache(Services services) : services_(services) {}

  /// `not_found` when it does not exist; `unavailable` while it is being deleted, which may fail yet.
  Task<Result<NamespacePtr>> get(NamespaceId ns);
  /// From now on `get` answers this, for the one who deletes the namespace.
  void assume(NamespacePtr ns) { cache_.insert_or_assign(ns->id, std::move(ns)); }
  /// The next `get` reads again: a transaction was refused for its configuration epoch.
  void forget(NamespaceId ns) { cache_.erase(ns); }
  /// The epoch that a reply carried (`ReadReply::configuration`).
  void note(NamespaceId ns, std::uint32_t epoch) {
    if (epoch != 0) note_raised(ns, epoch);
  }
  /// Rises when `note` found something new: what was read meanwhile was read under an older configuration.
  std::uint64_t news() const noexcept { return news_; }

 private:
  static constexpr std::size_t entries_max = 4096;

  void note_raised(NamespaceId ns, std::uint32_t epoch);
  Task<Result<NamespacePtr>> read(NamespaceId ns);

  Services services_;
  std::unordered_map<NamespaceId, NamespacePtr> cache_;
  std::uint64_t news_ = 0;
};

}  // namespace kiseki::fs::detail
