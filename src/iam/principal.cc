#include "iam/principal.h"

#include <algorithm>

namespace kiseki::iam {

namespace {

constexpr std::size_t account_size = 12;

bool is_account(std::string_view text) noexcept {
  return text.size() == account_size && text.find_first_not_of("0123456789") == text.npos;
}

bool is_one_of(const std::vector<std::string>& list, std::string_view text) noexcept {
  return !text.empty() && std::ranges::find(list, text) != list.end();
}

std::string_view type_name(Principal::Type type) noexcept {
  switch (type) {
    case Principal::Type::anonymous:
      return "Anonymous";
    case Principal::Type::root:
      return "Account";
    case Principal::Type::user:
      return "User";
    case Principal::Type::session:
      return "AssumedRole";
  }
  return "";
}

Error no_principal() {
  return Error(Errc::invalid_argument, "a principal is \"*\", an account of 12 digits or the ARN of one");
}

}  // namespace

std::string account_of(TenantId tenant) { return fmt::format("{:012}", tenant.value()); }

Principal Principal::root_of(std::string account, std::string canonical) {
  std::string arn = fmt::format("arn:aws:iam::{}:root", account);
  Principal root;
  root.type = Type::root;
  root.account = std::move(account);
  root.canonical = std::move(canonical);
  root.arn = std::move(arn);
  root.id = root.account;
  return root;
}

void Principal::describe(Context& context) const noexcept {
  context.set(ContextKey::principal_type, type_name(type));
  if (type == Type::anonymous) {
    context.set(ContextKey::user_id, "anonymous");
    return;
  }
  context.set(ContextKey::principal_account, account);
  context.set(ContextKey::principal_arn, type == Type::session ? role_arn : arn);
  context.set(ContextKey::principal_is_service, "false");
  context.set(ContextKey::user_id, id);
  if (type == Type::user) context.set(ContextKey::user_name, name);
}

Result<> PrincipalSet::add_aws(std::string_view text) {
  constexpr std::string_view iam = "arn:aws:iam::", sts = "arn:aws:sts::";
  if (text == "*") {
    everyone_ = true;
    return {};
  }
  if (is_account(text)) {
    accounts_.emplace_back(text);
    return {};
  }
  const bool is_sts = text.starts_with(sts);
  if (!is_sts && !text.starts_with(iam)) return fail(no_principal());
  const std::string_view rest = text.substr(iam.size());
  const std::string_view account = rest.substr(0, rest.find(':'));
  if (!is_account(account) || rest.size() <= account_size + 1) return fail(no_principal());
  const std::string_view resource = rest.substr(account_size + 1);
  if (resource.find_first_of("*?") != resource.npos)
    return fail(Errc::invalid_argument, "no wildcard stands in the ARN of a principal");
  if (!is_sts && resource == "root") {
    accounts_.emplace_back(account);
    return {};
  }
  const auto is_path_of = [resource](std::string_view type) {
    return resource.starts_with(type) && resource.size() > type.size();
  };
  const bool known = is_sts ? is_path_of("assumed-role/") || is_path_of("federated-user/")
                            : is_path_of("user/") || is_path_of("role/");
  if (!known) return fail(no_principal());
  arns_.emplace_back(text);
  return {};
}

bool PrincipalSet::empty() const noexcept {
  return !everyone_ && !has_foreign_ && accounts_.empty() && arns_.empty() && canonicals_.empty();
}

bool PrincipalSet::has_account(const Principal& principal) const noexcept {
  return is_one_of(accounts_, principal.account) || is_one_of(canonicals_, principal.canonical);
}

bool PrincipalSet::has_arn(std::string_view arn) const noexcept { return is_one_of(arns_, arn); }

Naming PrincipalSet::find(const Principal& principal) const noexcept {
  using enum Principal::Type;
  if ((principal.type == user || principal.type == session) && has_arn(principal.arn)) return Naming::exact;
  if (everyone_ || (principal.type == session && has_arn(principal.role_arn))) return Naming::broad;
  return has_account(principal) ? Naming::account : Naming::none;
}

bool PrincipalSet::names_whole(const Principal& principal) const noexcept {
  if (everyone_) return true;
  if (!has_account(principal)) return false;
  switch (principal.type) {
    case Principal::Type::anonymous:
      return false;
    case Principal::Type::root:
      return true;
    case Principal::Type::user:
      return has_arn(principal.arn);
    case Principal::Type::session:
      return has_arn(principal.arn) && has_arn(principal.role_arn);
  }
  return false;
}

}  // namespace kiseki::iam
