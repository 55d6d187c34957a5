#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/task.h"
#include "crypto/secret.h"
#include "fs/services.h"

namespace kiseki::fs {

/// An access key: who presents it acts for the tenant.
struct AccessKey {
  std::string id;  ///< 20 characters.
  TenantId tenant;
  std::uint64_t created_ms = 0;
  bool is_root = false;
};

struct Credential {
  AccessKey key;
  crypto::SecretText secret;
};

/// Makes the first tenant, its root directory and the id leases of an empty store; a no-op afterwards. Needs
/// the tenant's key to be in the key file: `new_tenant` is called to put it there. Safe to repeat after a
/// crash.
Task<Result<TenantId>> bootstrap(Services services, std::function<Result<>(TenantId)> new_tenant);

/// Says to every core of a node that an access key was made, which others may remember as absent.
class KeysMade {
 public:
  void add() noexcept { count_.fetch_add(1, std::memory_order_release); }
  std::uint64_t count() const noexcept { return count_.load(std::memory_order_acquire); }

 private:
  std::atomic<std::uint64_t> count_{0};
};

/// Access keys, kept in the system shard with their secrets sealed under the system key.
class Identities {
 public:
  /// `made`: of the node; it outlives this.
  Identities(Services services, KeysMade& made) : services_(services), made_(made) {}

  /// A new random key, or the given one (`exists` when another secret stands under that id).
  Task<Result<Credential>> create(TenantId tenant, bool is_root);
  Task<Result<>> put(TenantId tenant, std::string id, std::string secret, bool is_root);
  /// `not_found`. Cached for a second; that there is none for five, but not beyond the making of a key on
  /// this node.
  Task<Result<Credential>> find(std::string id);
  Task<Result<std::vector<AccessKey>>> list();
  Task<Result<>> remove(std::string id);

 private:
  struct Cached {
    Credential credential;
    BootTime until;
  };

  struct Absent {
    BootTime until;
    std::uint64_t keys_made;
  };

  bool is_known_absent(const std::string& item);

  Services services_;
  KeysMade& made_;
  std::map<std::string, Cached> cache_;
  std::map<std::string, Absent> absent_;  // by item of the row, which is short whatever the caller claims
};

}  // namespace kiseki::fs
