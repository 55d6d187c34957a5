#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "iam/context.h"

namespace kiseki::iam {

/// Who sends a request.
struct Principal {
  enum class Type : std::uint8_t {
    anonymous,
    root,     ///< The account itself.
    user,     ///< A user, with or without a session token.
    session,  ///< Someone who took a role.
  };

  Type type = Type::anonymous;
  std::string account;    ///< 12 digits; empty of anonymous ones.
  std::string canonical;  ///< The account's id in access control lists.
  std::string
      arn;  ///< arn:aws:iam::ACCOUNT:user/NAME, …:root, arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION
  std::string role_arn;  ///< Of sessions.
  std::string name;      ///< Of users.
  std::string id;        ///< aws:userid

  /// Sets what conditions ask about the principal. It outlives the context.
  void describe(Context& context) const noexcept;

  static Principal root_of(std::string account, std::string canonical);
};

/// The account number of a tenant, as ARNs have it: 12 decimal digits.
std::string account_of(TenantId tenant);

/// How closely a statement names the principal that it grants something.
enum class Naming : std::uint8_t {
  none,
  account,  ///< Its account, whose own policies decide on.
  broad,    ///< Everyone, or the role of a session.
  exact,    ///< Itself.
};

/// The Principal or NotPrincipal of a statement.
class PrincipalSet {
 public:
  /// "*", an account's 12 digits, an ARN of IAM or STS. `invalid_argument`: none of them; a wildcard in an
  /// ARN.
  Result<> add_aws(std::string_view text);
  void add_canonical(std::string canonical) { canonicals_.push_back(std::move(canonical)); }
  /// Services and identity providers act for nobody here; what names them is kept out of every match.
  void add_foreign() noexcept { has_foreign_ = true; }

  bool empty() const noexcept;
  bool has_everyone() const noexcept { return everyone_; }

  /// Closest naming of the principal.
  Naming find(const Principal& principal) const noexcept;
  /// Whether every level of the principal is named: its account, its role, itself.
  bool names_whole(const Principal& principal) const noexcept;

 private:
  bool has_account(const Principal& principal) const noexcept;
  bool has_arn(std::string_view arn) const noexcept;

  bool everyone_ = false, has_foreign_ = false;
  std::vector<std::string> accounts_, arns_, canonicals_;
};

}  // namespace kiseki::iam
