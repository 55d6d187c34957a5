#include "iam/decision.h"

#include <algorithm>

namespace kiseki::iam {

namespace {

using Type = Principal::Type;

/// Sum of several policies.
struct Opinion {
  bool denies = false, allows = false;
};

Opinion ask(const Policy* policy, const Request& request) noexcept {
  if (policy == nullptr) return {.allows = true};  // a limit that is not set
  const Verdict verdict = policy->judge(request);
  return {verdict.denies, verdict.allows != Naming::none};
}

struct IdentityOpinion {
  bool denies = false;
  bool within_limits = false;  ///< Boundary and session policy allow it.
  bool allows = false;         ///< Limits included.
};

IdentityOpinion ask(const IdentitySide& identity, const Request& request) noexcept {
  IdentityOpinion opinion;
  const Opinion boundary = ask(identity.boundary, request), session = ask(identity.session, request);
  opinion.denies = boundary.denies || session.denies;
  opinion.within_limits = boundary.allows && session.allows;
  bool granted = request.principal.type == Type::root;
  for (const Policy* policy : identity.policies) {
    const Verdict verdict = policy->judge(request);
    opinion.denies = opinion.denies || verdict.denies;
    granted = granted || verdict.allows != Naming::none;
  }
  opinion.allows = granted && opinion.within_limits && request.principal.type != Type::anonymous;
  return opinion;
}

/// A policy that shuts everyone out would shut its owner out for ever.
bool is_rescue(const Request& request, const ResourceSide& resource) noexcept {
  const bool of_policy = request.action == Action::get_bucket_policy ||
                         request.action == Action::put_bucket_policy ||
                         request.action == Action::delete_bucket_policy;
  return of_policy && request.principal.type == Type::root && request.principal.account == resource.account;
}

struct AclNeed {
  const Acl* acl = nullptr;
  AclPermission permission = AclPermission::read;
  bool of_object = false;
};

/// The list that speaks about the action, where lists count.
AclNeed need_of(Action action, const ResourceSide& resource) noexcept {
  using enum AclPermission;
  if (resource.ownership == Ownership::bucket_owner_enforced) return {};
  switch (describe(action).acl) {
    case AclRule::none:
      return {};
    case AclRule::bucket_read:
      return {resource.bucket_acl, read};
    case AclRule::bucket_write:
      return {resource.bucket_acl, write};
    case AclRule::bucket_read_acp:
      return {resource.bucket_acl, read_acp};
    case AclRule::bucket_write_acp:
      return {resource.bucket_acl, write_acp};
    case AclRule::object_read:
      return {resource.object_acl, read, true};
    case AclRule::object_read_acp:
      return {resource.object_acl, read_acp, true};
    case AclRule::object_write_acp:
      return {resource.object_acl, write_acp, true};
  }
  return {};
}

bool deletes(Action action) noexcept {
  return action == Action::delete_object || action == Action::delete_object_version;
}

bool is_owner(const Acl* acl, const Principal& principal) noexcept {
  return acl != nullptr && principal.type != Type::anonymous && !acl->owner.empty() &&
         acl->owner == principal.canonical;
}

/// What the lists grant. Owners may always read and write the list itself. The right to write lets strangers
/// put, but not delete what is neither theirs nor in their bucket.
Naming ask_acl(const AclNeed& need, const Request& request, const ResourceSide& resource) noexcept {
  if (need.acl == nullptr) return Naming::none;
  const bool on_list =
      need.permission == AclPermission::read_acp || need.permission == AclPermission::write_acp;
  if (on_list && is_owner(need.acl, request.principal)) return Naming::account;
  if (deletes(request.action) && !is_owner(resource.bucket_acl, request.principal) &&
      !is_owner(resource.object_acl, request.principal)) {
    return Naming::none;
  }
  const auto grants = resource.block.ignore_public_acls ? PublicGrants::ignored : PublicGrants::count;
  return find_grant(*need.acl, need.permission, request.principal, grants);
}

/// What a bucket's policy grants, after the block of public access.
Naming limit(Naming naming, const Request& request, const ResourceSide& resource) noexcept {
  const bool restricted = resource.block.restrict_public_buckets && resource.policy->is_public();
  return restricted && request.principal.account != resource.account ? Naming::none : naming;
}

/// An object that is another account's: the bucket's policy can forbid its use, but not grant it.
bool is_foreign(const AclNeed& need, const ResourceSide& resource) noexcept {
  return need.of_object && need.acl != nullptr && resource.bucket_acl != nullptr &&
         need.acl->owner != resource.bucket_acl->owner;
}

}  // namespace

PublicAccessBlock PublicAccessBlock::merged_with(const PublicAccessBlock& other) const noexcept {
  return {block_public_acls || other.block_public_acls, ignore_public_acls || other.ignore_public_acls,
          block_public_policy || other.block_public_policy,
          restrict_public_buckets || other.restrict_public_buckets};
}

Decision decide(const Request& request, const IdentitySide& identity, const ResourceSide& resource) noexcept {
  const IdentityOpinion own = ask(identity, request);
  const Verdict policy = resource.policy == nullptr ? Verdict{} : resource.policy->judge(request);
  if (own.denies || (policy.denies && !is_rescue(request, resource))) return Decision::denied_explicitly;

  const AclNeed need = need_of(request.action, resource);
  const bool foreign = is_foreign(need, resource);
  const Naming by_policy =
      resource.policy == nullptr || foreign ? Naming::none : limit(policy.allows, request, resource);
  const Naming by_acl = ask_acl(need, request, resource);
  const Naming granted = std::max(by_policy, by_acl);

  const bool account_suffices = resource.within == ResourceSide::Within::account_suffices;
  if (request.principal.type == Type::anonymous)
    return granted == Naming::broad && account_suffices ? Decision::allowed : Decision::denied;
  const bool within =
      foreign ? is_owner(need.acl, request.principal) : request.principal.account == resource.account;
  if (!within) return own.allows && granted != Naming::none ? Decision::allowed : Decision::denied;

  // A grant to the very user or session is not limited by what its account allows; one to everyone or to the
  // role is limited by boundary and session.
  if (granted == Naming::exact || (granted == Naming::broad && own.within_limits)) return Decision::allowed;
  if (!own.allows) return Decision::denied;
  if (granted == Naming::account) return Decision::allowed;
  return need.acl == nullptr && account_suffices ? Decision::allowed : Decision::denied;
}

}  // namespace kiseki::iam
