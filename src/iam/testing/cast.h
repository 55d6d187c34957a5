#pragma once

#include <array>
#include <string>

#include "iam/principal.h"

namespace kiseki::iam {

// Who asks in tests: of two accounts each its root, a user and someone in a role; and nobody.

inline constexpr std::size_t cast_size = 7;

inline Principal user_of(const std::string& account, const std::string& name) {
  Principal user;
  user.type = Principal::Type::user;
  user.account = account;
  user.canonical = "canonical-" + account;
  user.arn = "arn:aws:iam::" + account + ":user/" + name;
  user.name = name;
  user.id = "AIDA" + name;
  return user;
}

inline Principal session_of(const std::string& account, const std::string& role) {
  Principal session;
  session.type = Principal::Type::session;
  session.account = account;
  session.canonical = "canonical-" + account;
  session.arn = "arn:aws:sts::" + account + ":assumed-role/" + role + "/s";
  session.role_arn = "arn:aws:iam::" + account + ":role/" + role;
  session.id = "AROA" + role + ":s";
  return session;
}

inline const std::string account_one = "000000000001", account_two = "000000000002";

/// root, alice, carol (in role1) of account 1; root, bob, eve (in role2) of account 2; nobody.
inline std::array<Principal, cast_size> cast() {
  return {Principal::root_of(account_one, "canonical-" + account_one),
          user_of(account_one, "alice"),
          session_of(account_one, "role1"),
          Principal::root_of(account_two, "canonical-" + account_two),
          user_of(account_two, "bob"),
          session_of(account_two, "role2"),
          Principal{}};
}

}  // namespace kiseki::iam
