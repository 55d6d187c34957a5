#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/task.h"
#include "crypto/secret.h"
#include "fs/accounts.h"
#include "fs/services.h"
#include "iam/decision.h"

namespace kiseki::fs {

/// What an access key that does not act for the whole tenant may do.
struct KeyRights {
  iam::Principal principal;
  std::shared_ptr<const AccountPolicies>
      user;                           ///< None: the tenant itself. Shared with the cache of accounts.
  std::optional<iam::Policy> limits;  ///< None: all that its user may.

  // As the evaluator takes them; they point into the above.
  std::vector<const iam::Policy*> policies;
  std::vector<iam::Tag> tags;

  iam::IdentitySide side() const noexcept;
};

/// An access key: who presents it acts for the tenant, or for a user of it.
struct AccessKey {
  enum class State : std::uint8_t { active = 1, disabled = 2 };

  std::string id;  ///< 20 characters.
  TenantId tenant;
  std::uint64_t created_ms = 0;
  bool is_root = false;
  std::string user = {};  ///< Empty: the tenant itself.
  State state = State::active;
  std::uint64_t expires_ms = 0;  ///< Unix milliseconds; 0: never.
  std::string limits = {};       ///< A policy of which nothing beyond is allowed; empty: none.
  /// Of keys with a user or limits, when found by `find`; otherwise none, and everything is allowed. Shared
  /// by the cache and requests under way.
  std::shared_ptr<const KeyRights> rights = {};
};

struct Credential {
  AccessKey key;
  crypto::SecretText secret;
};

/// What a new access key is for.
struct KeyOptions {
  std::string user = {};
  std::uint64_t expires_ms = 0;
  std::string limits = {};
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
  Identities(Services services, KeysMade& made) : services_(services), accounts_(services), made_(made) {}

  /// A new random key, or the given one (`exists` when another secret stands under that id).
  Task<Result<Credential>> create(TenantId tenant, bool is_root);
  Task<Result<>> put(TenantId tenant, std::string id, std::string secret, bool is_root);
  /// Of a user or with limits. `not_found`: no such user; `invalid_argument`: the limits are no policy.
  Task<Result<Credential>> create(TenantId tenant, KeyOptions options);
  /// Not of root credentials: `invalid_argument`.
  Task<Result<>> set_state(std::string id, AccessKey::State state);
  /// With `rights`, and without the text of limits. `not_found`, also of a key that is disabled or has
  /// expired. Cached for a second; that there is none for five, but not beyond the making of a key on this
  /// node.
  Task<Result<Credential>> find(std::string id);
  Task<Result<std::vector<AccessKey>>> list();
  Task<Result<>> remove(std::string id);

  Accounts& accounts() noexcept { return accounts_; }
  /// What expiry is measured by, in Unix milliseconds.
  std::uint64_t time_ms() const { return services_.client->time_ms(); }

 private:
  struct Stored {
    AccessKey key;
    std::string sealed_secret;
    Stamp version;
  };

  struct Cached {
    Credential credential;
    BootTime until;
  };

  struct Absent {
    BootTime until;
    std::uint64_t keys_made;
  };

  bool is_known_absent(const std::string& item);
  Task<Result<>> put_new(AccessKey key, std::string secret);
  /// The row, whatever the state of the key.
  Task<Result<Stored>> load(std::string id);
  Task<Result<std::shared_ptr<const KeyRights>>> rights_of(AccessKey key);

  Services services_;
  Accounts accounts_;
  KeysMade& made_;
  std::map<std::string, Cached> cache_;
  std::map<std::string, Absent> absent_;  // by item of the row, which is short whatever the caller claims
};

}  // namespace kiseki::fs
