#pragma once

#include <span>
#include <string>
#include <string_view>

#include "fs/accounts.h"

namespace kiseki::admin_api {

/// What an administrator asks about users, groups and policies. Fields that the verb does not take are empty.
struct AccountRequest {
  enum class Verb : std::uint8_t { list, create, remove, attach, detach, bound, add, take };

  Verb verb = Verb::list;
  fs::AccountItem::Type type = fs::AccountItem::Type::user;
  std::string name = {};
  std::string policy = {};  ///< Name of the policy that is attached, detached, or the boundary; empty: none.
  std::string document = {};  ///< Of a policy or role that is created.
  std::string user = {};      ///< Who joins or leaves the group.
  friend bool operator==(const AccountRequest&, const AccountRequest&) = default;
};

/// One command of the socket: its name, and which fields stand beside it, all of them.
struct AccountCommand {
  struct Field {
    std::string_view name;
    std::string AccountRequest::* member;
  };
  std::string_view name;  ///< "group.attach"
  AccountRequest::Verb verb;
  fs::AccountItem::Type type;
  std::span<const Field> fields;
};

std::span<const AccountCommand> account_commands() noexcept;

}  // namespace kiseki::admin_api
