#include "iam/acl.h"

#include <algorithm>

#include "base/encoding.h"

namespace kiseki::iam {

namespace {

struct Group {
  std::string_view uri;
  Grantee::Type type;
};

constexpr Group groups[] = {
    {"http://acs.amazonaws.com/groups/global/AllUsers", Grantee::Type::everyone},
    {"http://acs.amazonaws.com/groups/global/AuthenticatedUsers", Grantee::Type::authenticated},
    {"http://acs.amazonaws.com/groups/s3/LogDelivery", Grantee::Type::log_delivery},
};

struct Canned {
  std::string_view name;
  CannedAcl canned;
};

constexpr Canned canned_lists[] = {
    {"private", CannedAcl::private_},
    {"public-read", CannedAcl::public_read},
    {"public-read-write", CannedAcl::public_read_write},
    {"authenticated-read", CannedAcl::authenticated_read},
    {"aws-exec-read", CannedAcl::aws_exec_read},
    {"bucket-owner-read", CannedAcl::bucket_owner_read},
    {"bucket-owner-full-control", CannedAcl::bucket_owner_full_control},
    {"log-delivery-write", CannedAcl::log_delivery_write},
};

bool is_public_group(Grantee::Type type) noexcept {
  return type == Grantee::Type::everyone || type == Grantee::Type::authenticated;
}

/// `name="value"`; quotes may be left out.
Result<Grantee> read_grantee(std::string_view text) {
  const std::size_t sign = text.find('=');
  if (sign == text.npos) return fail(Errc::invalid_argument, "a grantee has the form type=\"value\"");
  const std::string_view type = trimmed(text.substr(0, sign));
  std::string_view value = trimmed(text.substr(sign + 1));
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
    value = value.substr(1, value.size() - 2);
  if (value.empty()) return fail(Errc::invalid_argument, "a grantee is empty");
  if (type == "id") return Grantee{Grantee::Type::account, std::string(value)};
  if (type == "emailAddress") return fail(Errc::not_supported, "accounts have no e-mail address");
  const auto group = type == "uri" ? group_of(value) : std::nullopt;
  if (!group) return fail(Errc::invalid_argument, "no such type of grantee or no such group");
  return *group;
}

}  // namespace

std::optional<Grantee> group_of(std::string_view uri) noexcept {
  const auto found = std::ranges::find(groups, uri, &Group::uri);
  if (found == std::end(groups)) return std::nullopt;
  return Grantee{found->type, {}};
}

std::string_view uri_of(Grantee::Type group) noexcept {
  const auto found = std::ranges::find(groups, group, &Group::type);
  return found == std::end(groups) ? std::string_view{} : found->uri;
}

std::optional<CannedAcl> find_canned_acl(std::string_view name) noexcept {
  const auto found = std::ranges::find(canned_lists, name, &Canned::name);
  if (found == std::end(canned_lists)) return std::nullopt;
  return found->canned;
}

Acl Acl::of(CannedAcl canned, std::string owner, std::string_view bucket_owner) {
  using enum Grantee::Type;
  using enum AclPermission;
  Acl acl{std::move(owner), {}};
  acl.grants.push_back({{account, acl.owner}, full_control});
  const bool is_others = bucket_owner != acl.owner;
  switch (canned) {
    case CannedAcl::private_:
    case CannedAcl::aws_exec_read:  // for machine images, which are not here
      break;
    case CannedAcl::public_read_write:
      acl.grants.push_back({{everyone, {}}, read});
      acl.grants.push_back({{everyone, {}}, write});
      break;
    case CannedAcl::public_read:
      acl.grants.push_back({{everyone, {}}, read});
      break;
    case CannedAcl::authenticated_read:
      acl.grants.push_back({{authenticated, {}}, read});
      break;
    case CannedAcl::bucket_owner_read:
      if (is_others) acl.grants.push_back({{account, std::string(bucket_owner)}, read});
      break;
    case CannedAcl::bucket_owner_full_control:
      if (is_others) acl.grants.push_back({{account, std::string(bucket_owner)}, full_control});
      break;
    case CannedAcl::log_delivery_write:
      acl.grants.push_back({{log_delivery, {}}, write});
      acl.grants.push_back({{log_delivery, {}}, read_acp});
      break;
  }
  return acl;
}

bool Acl::is_public() const noexcept {
  return std::ranges::any_of(grants,
                             [](const AclGrant& grant) { return is_public_group(grant.grantee.type); });
}

Result<> add_grants(Acl& acl, std::string_view field, AclPermission permission) {
  while (!field.empty()) {
    const std::size_t comma = std::min(field.find(','), field.size());
    auto grantee = read_grantee(field.substr(0, comma));
    if (!grantee) return fail(std::move(grantee).error());
    if (acl.grants.size() >= Acl::grants_max)
      return fail(Errc::invalid_argument, fmt::format("a list has at most {} grants", Acl::grants_max));
    acl.grants.push_back({std::move(*grantee), permission});
    field.remove_prefix(std::min(comma + 1, field.size()));
  }
  return {};
}

std::string_view owner_of_new_object(Ownership ownership, std::string_view writer,
                                     std::string_view bucket_owner,
                                     std::optional<CannedAcl> canned) noexcept {
  switch (ownership) {
    case Ownership::bucket_owner_enforced:
      return bucket_owner;
    case Ownership::bucket_owner_preferred:
      return canned == CannedAcl::bucket_owner_full_control ? bucket_owner : writer;
    case Ownership::object_writer:
      return writer;
  }
  return bucket_owner;
}

Naming find_grant(const Acl& acl, AclPermission permission, const Principal& principal,
                  PublicGrants public_grants) noexcept {
  const bool is_known = principal.type != Principal::Type::anonymous;
  Naming closest = Naming::none;
  for (const AclGrant& grant : acl.grants) {
    if (grant.permission != permission && grant.permission != AclPermission::full_control) continue;
    const Grantee& grantee = grant.grantee;
    const bool is_named = grantee.type == Grantee::Type::account && is_known && !grantee.canonical.empty() &&
                          grantee.canonical == principal.canonical;
    const bool is_in_group = public_grants == PublicGrants::count && is_public_group(grantee.type) &&
                             (is_known || grantee.type == Grantee::Type::everyone);
    if (is_in_group) closest = std::max(closest, Naming::broad);
    if (is_named) closest = std::max(closest, Naming::account);
  }
  return closest;
}

}  // namespace kiseki::iam
