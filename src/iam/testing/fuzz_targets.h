#pragma once

#include "base/assert.h"
#include "iam/decision.h"

// What the fuzzers feed foreign bytes to; a unit test replays the seeds.

namespace kiseki::iam {

/// Whatever a policy says, it never allows what another statement of it denies, and a policy of an identity
/// never allows anything to an anonymous request.
inline void judge_by(const Policy& policy) {
  Context context;
  Principal user;
  user.type = Principal::Type::user;
  user.account = "000000000001";
  user.arn = "arn:aws:iam::000000000001:user/alice";
  user.name = "alice";
  user.describe(context);
  context.set(ContextKey::source_ip, "10.1.2.3");
  context.set(ContextKey::prefix, "a");
  const ResourceName resource("b", "k");
  for (const Action action : {Action::get_object, Action::put_object, Action::assume_role}) {
    const Request request{user, action, resource.view(), context};
    const Verdict verdict = policy.judge(request);
    KISEKI_ASSERT(!verdict.denies || verdict.allows == Naming::none);
    const Policy* const policies[] = {&policy};
    const Principal nobody;
    const Decision decision = decide({nobody, action, resource.view(), context}, {.policies = policies},
                                     {.account = "000000000001"});
    KISEKI_ASSERT(decision != Decision::allowed);
  }
}

/// Reads the text as a policy of every type and, where it is one, judges requests by it.
inline void fuzz_policy(std::string_view text) {
  for (const PolicyType type : {PolicyType::managed, PolicyType::identity_inline, PolicyType::session,
                                PolicyType::bucket, PolicyType::trust}) {
    const auto policy = Policy::parse(text, type, "b");
    if (policy) judge_by(*policy);
  }
}

/// Reads it as the value of an x-amz-grant field.
inline void fuzz_grants(std::string_view text) {
  Acl acl;
  if (!add_grants(acl, text, AclPermission::read)) return;
  KISEKI_ASSERT(acl.grants.size() <= Acl::grants_max);
  for (const AclGrant& grant : acl.grants) {
    KISEKI_ASSERT((grant.grantee.type == Grantee::Type::account) != grant.grantee.canonical.empty());
  }
}

}  // namespace kiseki::iam
