#include "admin_api/account_request.h"

namespace kiseki::admin_api {

namespace {

using Field = AccountCommand::Field;
using Verb = AccountRequest::Verb;
using Type = fs::AccountItem::Type;

constexpr Field name_field{"name", &AccountRequest::name};
constexpr Field policy_field{"policy", &AccountRequest::policy};

constexpr Field named[] = {name_field};
constexpr Field with_policy[] = {name_field, policy_field};
constexpr Field with_document[] = {name_field, {"document", &AccountRequest::document}};
constexpr Field with_user[] = {name_field, {"user", &AccountRequest::user}};

constexpr AccountCommand commands[] = {
    {"user.list", Verb::list, Type::user, {}},
    {"user.create", Verb::create, Type::user, named},
    {"user.remove", Verb::remove, Type::user, named},
    {"user.attach", Verb::attach, Type::user, with_policy},
    {"user.detach", Verb::detach, Type::user, with_policy},
    {"user.bound", Verb::bound, Type::user, with_policy},
    {"group.list", Verb::list, Type::group, {}},
    {"group.create", Verb::create, Type::group, named},
    {"group.remove", Verb::remove, Type::group, named},
    {"group.attach", Verb::attach, Type::group, with_policy},
    {"group.detach", Verb::detach, Type::group, with_policy},
    {"group.add", Verb::add, Type::group, with_user},
    {"group.take", Verb::take, Type::group, with_user},
    {"policy.list", Verb::list, Type::policy, {}},
    {"policy.create", Verb::create, Type::policy, with_document},
    {"policy.remove", Verb::remove, Type::policy, named},
};

}  // namespace

std::span<const AccountCommand> account_commands() noexcept { return commands; }

}  // namespace kiseki::admin_api
