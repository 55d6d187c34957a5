#include "admin_api/account_commands.h"

#include <boost/json.hpp>

namespace kiseki::admin_api {

namespace json = boost::json;

namespace {

using Type = fs::AccountItem::Type;
using Verb = AccountRequest::Verb;

json::array show_names(const std::vector<std::string>& names) {
  json::array shown;
  for (const std::string& name : names) shown.emplace_back(name);
  return shown;
}

json::object show(const fs::AccountItem& item) {
  json::object shown{{"name", item.name}, {"id", item.id}, {"created_ms", item.created_ms}};
  if (item.type == Type::policy) {
    shown["document"] = item.document;
    return shown;
  }
  shown["policies"] = show_names(item.attached);
  if (item.type == Type::user) {
    shown["groups"] = show_names(item.groups);
    shown["keys"] = show_names(item.keys);
    shown["boundary"] = item.boundary;
  }
  return shown;
}

Task<Result<json::value>> list(fs::Accounts& accounts, TenantId tenant, Type type) {
  const auto items = co_await accounts.list(tenant, type);
  if (!items) co_return fail(items.error());
  json::array shown;
  for (const fs::AccountItem& item : *items) shown.emplace_back(show(item));
  co_return json::value(std::move(shown));
}

Task<Result<json::value>> create(fs::Accounts& accounts, TenantId tenant, AccountRequest request) {
  fs::AccountItem item;
  item.type = request.type;
  item.name = std::move(request.name);
  item.document = std::move(request.document);
  const auto made = co_await accounts.create(tenant, std::move(item));
  if (!made) co_return fail(made.error());
  co_return json::value(show(*made));
}

Task<Result<>> change(fs::Accounts& accounts, TenantId tenant, AccountRequest request) {
  const fs::AccountName name{tenant, request.type, request.name};
  switch (request.verb) {
    case Verb::remove:
      co_return co_await accounts.remove(name);
    case Verb::attach:
      co_return co_await accounts.attach(name, request.policy);
    case Verb::detach:
      co_return co_await accounts.detach(name, request.policy);
    case Verb::bound:
      co_return co_await accounts.set_boundary(name, request.policy);
    case Verb::add:
      co_return co_await accounts.add_to_group(tenant, request.user, request.name);
    case Verb::take:
      co_return co_await accounts.remove_from_group(tenant, request.user, request.name);
    case Verb::list:
    case Verb::create:
      break;
  }
  co_return fail(Errc::invalid_argument, "not a change");
}

}  // namespace

Task<Result<json::value>> run_account_request(fs::Accounts& accounts, TenantId tenant,
                                              AccountRequest request) {
  if (request.verb == Verb::list) co_return co_await list(accounts, tenant, request.type);
  if (request.verb == Verb::create) co_return co_await create(accounts, tenant, std::move(request));
  const auto done = co_await change(accounts, tenant, std::move(request));
  if (!done) co_return fail(done.error());
  co_return json::value(json::object{});
}

}  // namespace kiseki::admin_api
