#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/task.h"
#include "fs/services.h"
#include "iam/policy.h"

namespace kiseki::fs {

struct NamedDocument {
  std::string name;
  std::string document;
  friend bool operator==(const NamedDocument&, const NamedDocument&) = default;
};

struct AccountTag {
  std::string key;
  std::string value;
  friend bool operator==(const AccountTag&, const AccountTag&) = default;
};

/// A user, group, role or managed policy of a tenant (docs/formats/accounts.md).
struct AccountItem {
  enum class Type : std::uint8_t { user = 1, group = 2, role = 3, policy = 4 };

  Type type = Type::user;
  std::string name;
  std::string path = "/";
  std::string id;  ///< Never used again, also by another item of the name.
  std::uint64_t created_ms = 0;
  std::string document;  ///< Of roles: who may take it; of policies.
  std::string boundary;  ///< Name of a policy; empty: none.
  std::vector<std::string> attached;
  std::vector<NamedDocument> inline_policies;
  std::vector<std::string> groups;  ///< Of users.
  std::vector<std::string> keys;    ///< Of users.
  std::vector<AccountTag> tags;
  friend bool operator==(const AccountItem&, const AccountItem&) = default;
};

/// Which item of which tenant.
struct AccountName {
  TenantId tenant;
  AccountItem::Type type = AccountItem::Type::user;
  std::string name;
};

/// All that the account says of one user or role, parsed.
struct AccountPolicies {
  iam::Principal principal;
  std::vector<iam::Policy> policies;  ///< Its own, and a user's groups'.
  std::optional<iam::Policy> boundary;
  std::vector<AccountTag> tags;
};

/// What stands for a tenant in access control lists, and as an owner.
std::string canonical_id(TenantId tenant);

/// Users, groups, roles and policies of tenants, in the system shard. Belongs to one core.
class Accounts {
 public:
  /// Alters an item before it is put; what it refuses is handed on.
  using Change = std::function<Result<>(AccountItem&)>;

  explicit Accounts(Services services) : services_(services) {}

  /// With an id and a time of its own. `exists`; `invalid_argument`, also of a document that is no policy.
  Task<Result<AccountItem>> create(TenantId tenant, AccountItem item);
  /// `not_found`.
  Task<Result<AccountItem>> find(AccountName name);
  /// Of one type, in order of their names.
  Task<Result<std::vector<AccountItem>>> list(TenantId tenant, AccountItem::Type type);
  /// `not_empty`: something is attached to it, or it to something.
  Task<Result<>> remove(AccountName name);

  /// `change` may run more than once. It may not change name or type.
  Task<Result<>> update(AccountName name, Change change);
  Task<Result<>> attach(AccountName name, std::string policy);
  Task<Result<>> detach(AccountName name, std::string policy);
  Task<Result<>> set_boundary(AccountName name, std::string policy);
  Task<Result<>> put_inline(AccountName name, NamedDocument policy);
  Task<Result<>> remove_inline(AccountName name, std::string policy);
  Task<Result<>> add_to_group(TenantId tenant, std::string user, std::string group);
  Task<Result<>> remove_from_group(TenantId tenant, std::string user, std::string group);

  /// Of a user or role; remembered for a second.
  Task<Result<std::shared_ptr<const AccountPolicies>>> policies_of(AccountName name);

 private:
  struct Loaded {
    AccountItem item;
    Stamp version;
  };
  struct Cached {
    std::shared_ptr<const AccountPolicies> policies;  // the cache's, and that of requests under way
    BootTime until;
  };

  Task<Result<Loaded>> load(AccountName name);
  /// `beside`: what the change refers to, and is handed; it stays until this is committed.
  using ChangeBeside = std::function<Result<>(AccountItem&, const AccountItem& beside)>;
  Task<Result<>> change(AccountName name, std::optional<AccountName> beside, ChangeBeside change);
  Task<Result<bool>> is_referred_to(AccountName name);
  Task<Result<>> add_policies(TenantId tenant, const AccountItem& item, AccountPolicies& into);

  Services services_;
  std::map<std::string, Cached> cache_;  // by item of the row
};

}  // namespace kiseki::fs
