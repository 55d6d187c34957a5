#include <algorithm>

#include "fs/accounts/account_rows.h"
#include "fs/names/system_rows.h"

namespace kiseki::fs {

namespace {

using enum shard::Assert::Type;
using Type = AccountItem::Type;

constexpr int attempts_max = 16;
constexpr std::uint32_t rows_a_scan = 64;
constexpr Duration cached_for = std::chrono::seconds(1);
constexpr std::size_t cached_max = 1000;

std::string_view what(Type type) noexcept {
  switch (type) {
    case Type::user:
      return "user";
    case Type::group:
      return "group";
    case Type::role:
      return "role";
    case Type::policy:
      return "policy";
  }
  return "";
}

std::unexpected<Error> missing(Type type) {
  return fail(Errc::not_found, fmt::format("no such {}", what(type)));
}

/// As AWS's: what kind of thing it is, and 16 characters more.
std::string new_id(Type type, Rng& rng) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string id = type == Type::user    ? "AIDA"
                   : type == Type::group ? "AGPA"
                   : type == Type::role  ? "AROA"
                                         : "ANPA";
  while (id.size() < 20) id.push_back(alphabet[rng.below(alphabet.size())]);
  return id;
}

bool holds(const std::vector<std::string>& list, std::string_view name) {
  return std::ranges::find(list, name) != list.end();
}

Result<> add_name(std::vector<std::string>& list, const std::string& name) {
  if (!holds(list, name)) list.push_back(name);
  return {};
}

Result<> take_name(std::vector<std::string>& list, const std::string& name) {
  return std::erase(list, name) != 0 ? Result<>{} : fail(Errc::not_found, "it does not have that");
}

bool refers(const AccountItem& item, const AccountName& name) {
  if (name.type == Type::group) return holds(item.groups, name.name);
  return name.type == Type::policy && (item.boundary == name.name || holds(item.attached, name.name));
}

bool has_something(const AccountItem& item) {
  return !item.attached.empty() || !item.inline_policies.empty() || !item.groups.empty() ||
         !item.keys.empty();
}

iam::Principal principal_of(TenantId tenant, const AccountItem& item) {
  const bool is_user = item.type == Type::user;
  iam::Principal principal;
  principal.type = is_user ? iam::Principal::Type::user : iam::Principal::Type::session;
  principal.account = iam::account_of(tenant);
  principal.canonical = canonical_id(tenant);
  principal.name = item.name;
  principal.id = item.id;
  std::string arn =
      fmt::format("arn:aws:iam::{}:{}{}{}", principal.account, what(item.type), item.path, item.name);
  (is_user ? principal.arn : principal.role_arn) = std::move(arn);
  return principal;
}

}  // namespace

std::string canonical_id(TenantId tenant) { return fmt::format("{:064x}", tenant.value()); }

Task<Result<AccountItem>> Accounts::create(TenantId tenant, AccountItem item) {
  item.id = new_id(item.type, *services_.rng);
  item.created_ms = services_.client->time_ms();
  KISEKI_CO_TRY(detail::check_account_item(item));
  const auto key = detail::account_key(*services_.keys, {tenant, item.type, item.name});
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    shard::Transaction transaction;
    transaction.time_ms = item.created_ms;
    transaction.require(exists, detail::tenant_key(tenant)).require(absent, key);
    transaction.put(key, detail::system_record(detail::encode_account_item(*services_.keys, key, item)));
    const auto outcome = co_await services_.client->commit(std::move(transaction));
    if (!outcome) co_return fail(outcome.error());
    if (outcome->committed()) co_return item;
    if (outcome->refusal == shard::Refusal::missing) co_return fail(Errc::not_found, "no such tenant");
    if (outcome->refusal == shard::Refusal::exists)
      co_return fail(Errc::exists, fmt::format("that {} is there already", what(item.type)));
  }
  co_return fail(Errc::busy, "others keep changing that account");
}

Task<Result<Accounts::Loaded>> Accounts::load(AccountName name) {
  const auto key = detail::account_key(*services_.keys, name);
  shard::ReadRequest request;
  request.gets = {{.key = key}};
  const auto reply = co_await services_.client->read(std::move(request));
  if (!reply) co_return fail(reply.error());
  const auto& record = reply->gets[0].record;
  if (!record) co_return missing(name.type);
  auto item = detail::decode_account_item(*services_.keys, key, record->value.view());
  if (!item) co_return fail(std::move(item).error());
  co_return Loaded{std::move(*item), record->version};
}

Task<Result<AccountItem>> Accounts::find(AccountName name) {
  auto loaded = co_await load(std::move(name));
  if (!loaded) co_return fail(std::move(loaded).error());
  co_return std::move(loaded->item);
}

Task<Result<std::vector<AccountItem>>> Accounts::list(TenantId tenant, Type type) {
  std::vector<AccountItem> items;
  std::string from = detail::account_items_begin(tenant, type);
  const std::string end = detail::account_items_end(tenant, type);
  for (bool more = true; more;) {
    shard::ReadRequest request;
    request.scans.push_back({.leaf = {}, .kind = shard::Kind::tenant, .from = from, .rows_max = rows_a_scan});
    const auto reply = co_await services_.client->read(std::move(request));
    if (!reply) co_return fail(reply.error());
    more = reply->scans[0].more;
    for (const auto& row : reply->scans[0].rows) {
      from = row.key.item + '\0';
      if (row.key.item >= end) {
        more = false;
        break;
      }
      auto item = detail::decode_account_item(*services_.keys, row.key, row.record.value.view());
      if (!item) co_return fail(std::move(item).error());
      items.push_back(std::move(*item));
    }
  }
  std::ranges::sort(items, {}, &AccountItem::name);
  co_return items;
}

/// Only groups and policies are referred to.
Task<Result<bool>> Accounts::is_referred_to(AccountName name) {
  if (name.type != Type::group && name.type != Type::policy) co_return false;
  for (const Type type : {Type::user, Type::group, Type::role}) {
    const auto items = co_await list(name.tenant, type);
    if (!items) co_return fail(items.error());
    if (std::ranges::any_of(*items, [&](const AccountItem& item) { return refers(item, name); }))
      co_return true;
  }
  co_return false;
}

Task<Result<>> Accounts::remove(AccountName name) {
  const auto key = detail::account_key(*services_.keys, name);
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    const auto loaded = co_await load(name);
    if (!loaded) co_return fail(loaded.error());
    if (has_something(loaded->item))
      co_return fail(Errc::not_empty, fmt::format("the {} has policies, groups or keys", what(name.type)));
    name.name = loaded->item.name;
    const auto referred = co_await is_referred_to(name);
    if (!referred) co_return fail(referred.error());
    if (*referred) co_return fail(Errc::not_empty, fmt::format("the {} is in use", what(name.type)));
    shard::Transaction transaction;
    transaction.time_ms = services_.client->time_ms();
    transaction.require(version, key, loaded->version).erase(key);
    const auto outcome = co_await services_.client->commit(std::move(transaction));
    if (!outcome) co_return fail(outcome.error());
    cache_.clear();
    if (outcome->committed()) co_return Result<>{};
  }
  co_return fail(Errc::busy, "others keep changing that account");
}

Task<Result<>> Accounts::change(AccountName name, std::optional<AccountName> beside, ChangeBeside change) {
  const auto key = detail::account_key(*services_.keys, name);
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    auto loaded = co_await load(name);
    if (!loaded) co_return fail(std::move(loaded).error());
    shard::Transaction transaction;
    transaction.time_ms = services_.client->time_ms();
    Loaded named;
    if (beside) {
      auto other = co_await load(*beside);
      if (!other) co_return fail(other.error());
      const auto row = detail::account_key(*services_.keys, *beside);
      named = std::move(*other);
      transaction.require(version, row, named.version);
      transaction.put(row,
                      detail::system_record(detail::encode_account_item(*services_.keys, row, named.item)));
    }
    KISEKI_CO_TRY(change(loaded->item, named.item));
    KISEKI_CO_TRY(detail::check_account_item(loaded->item));
    transaction.require(version, key, loaded->version);
    transaction.put(key,
                    detail::system_record(detail::encode_account_item(*services_.keys, key, loaded->item)));
    const auto outcome = co_await services_.client->commit(std::move(transaction));
    if (!outcome) co_return fail(outcome.error());
    cache_.clear();
    if (outcome->committed()) co_return Result<>{};
  }
  co_return fail(Errc::busy, "others keep changing that account");
}

Task<Result<>> Accounts::update(AccountName name, Change altered) {
  return change(
      std::move(name), std::nullopt,
      [altered = std::move(altered)](AccountItem& item, const AccountItem&) { return altered(item); });
}

Task<Result<>> Accounts::attach(AccountName name, std::string policy) {
  const AccountName beside{name.tenant, Type::policy, std::move(policy)};
  return change(std::move(name), beside, [](AccountItem& item, const AccountItem& attached) {
    return add_name(item.attached, attached.name);
  });
}

Task<Result<>> Accounts::detach(AccountName name, std::string policy) {
  return update(std::move(name), [policy](AccountItem& item) { return take_name(item.attached, policy); });
}

Task<Result<>> Accounts::set_boundary(AccountName name, std::string policy) {
  std::optional<AccountName> beside;
  if (!policy.empty()) beside = AccountName{name.tenant, Type::policy, std::move(policy)};
  return change(std::move(name), beside, [](AccountItem& item, const AccountItem& boundary) -> Result<> {
    item.boundary = boundary.name;
    return {};
  });
}

Task<Result<>> Accounts::put_inline(AccountName name, NamedDocument policy) {
  return update(std::move(name), [policy](AccountItem& item) -> Result<> {
    std::erase_if(item.inline_policies, [&](const NamedDocument& one) { return one.name == policy.name; });
    item.inline_policies.push_back(policy);
    return {};
  });
}

Task<Result<>> Accounts::remove_inline(AccountName name, std::string policy) {
  return update(std::move(name), [policy](AccountItem& item) -> Result<> {
    const auto same = [&](const NamedDocument& one) { return one.name == policy; };
    if (std::erase_if(item.inline_policies, same) == 0) return missing(Type::policy);
    return {};
  });
}

Task<Result<>> Accounts::add_to_group(TenantId tenant, std::string user, std::string group) {
  return change(
      {tenant, Type::user, std::move(user)}, AccountName{tenant, Type::group, std::move(group)},
      [](AccountItem& item, const AccountItem& joined) { return add_name(item.groups, joined.name); });
}

Task<Result<>> Accounts::remove_from_group(TenantId tenant, std::string user, std::string group) {
  return update({tenant, Type::user, std::move(user)},
                [group](AccountItem& item) { return take_name(item.groups, group); });
}

/// What stands in the store was a policy when it was put; where it is none now, nobody may do anything by it.
Task<Result<>> Accounts::add_policies(TenantId tenant, const AccountItem& item, AccountPolicies& into) {
  for (const NamedDocument& one : item.inline_policies) {
    auto policy = iam::Policy::parse(one.document, iam::PolicyType::identity_inline);
    if (!policy) co_return fail(Errc::corrupted, "an inline policy is none");
    into.policies.push_back(std::move(*policy));
  }
  for (const std::string& name : item.attached) {
    const auto row = co_await find({tenant, Type::policy, name});
    if (!row) co_return fail(row.error());
    auto policy = iam::Policy::parse(row->document, iam::PolicyType::managed);
    if (!policy) co_return fail(Errc::corrupted, "an attached policy is none");
    into.policies.push_back(std::move(*policy));
  }
  co_return Result<>{};
}

Task<Result<std::shared_ptr<const AccountPolicies>>> Accounts::policies_of(AccountName name) {
  const std::string row = detail::account_key(*services_.keys, name).item;
  const BootTime now = services_.clock->now();
  if (const auto known = cache_.find(row); known != cache_.end() && now < known->second.until)
    co_return known->second.policies;
  const auto item = co_await find(name);
  if (!item) co_return fail(item.error());
  auto made = std::make_shared<AccountPolicies>();
  made->principal = principal_of(name.tenant, *item);
  made->tags = item->tags;
  KISEKI_CO_TRY(co_await add_policies(name.tenant, *item, *made));
  for (const std::string& group : item->groups) {
    const auto one = co_await find({name.tenant, Type::group, group});
    if (!one) co_return fail(one.error());
    KISEKI_CO_TRY(co_await add_policies(name.tenant, *one, *made));
  }
  if (!item->boundary.empty()) {
    const auto boundary = co_await find({name.tenant, Type::policy, item->boundary});
    if (!boundary) co_return fail(boundary.error());
    auto policy = iam::Policy::parse(boundary->document, iam::PolicyType::managed);
    if (!policy) co_return fail(Errc::corrupted, "a boundary is no policy");
    made->boundary = std::move(*policy);
  }
  if (cache_.size() >= cached_max) cache_.clear();
  cache_.insert_or_assign(row, Cached{made, now + cached_for});
  co_return std::shared_ptr<const AccountPolicies>(std::move(made));
}

}  // namespace kiseki::fs
