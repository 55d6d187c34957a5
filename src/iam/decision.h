#pragma once

#include <span>

#include "iam/acl.h"
#include "iam/policy.h"

namespace kiseki::iam {

/// What limits public access to a bucket, whatever its policy and lists say. Of an account and of a bucket;
/// both count.
struct PublicAccessBlock {
  bool block_public_acls = false;        ///< No list that is public is taken.
  bool ignore_public_acls = false;       ///< Grants to everyone in lists do not count.
  bool block_public_policy = false;      ///< No policy that is public is taken.
  bool restrict_public_buckets = false;  ///< A public policy grants to the owner's account alone.

  PublicAccessBlock merged_with(const PublicAccessBlock& other) const noexcept;
  bool takes(const Acl& acl) const noexcept { return !block_public_acls || !acl.is_public(); }
  bool takes(const Policy& policy) const noexcept { return !block_public_policy || !policy.is_public(); }
  friend bool operator==(const PublicAccessBlock&, const PublicAccessBlock&) = default;
};

/// What the account of who asks says. All of it outlives the question.
struct IdentitySide {
  std::span<const Policy* const> policies = {};  ///< Of the user and its groups, or of the role.
  const Policy* boundary = nullptr;              ///< Allows nothing by itself.
  const Policy* session = nullptr;               ///< The same; of sessions.
};

/// What the owner of what is asked for says.
struct ResourceSide {
  /// Whether the policies of who asks are enough inside the owner's account. Not for taking a role.
  enum class Within : std::uint8_t { account_suffices, resource_decides };

  std::string_view account;        ///< That owns the bucket, role or user; the caller's for the service.
  const Policy* policy = nullptr;  ///< Of the bucket; of trust.
  Within within = Within::account_suffices;
  Ownership ownership = Ownership::bucket_owner_enforced;
  const Acl* bucket_acl = nullptr;  ///< With lists in force.
  const Acl* object_acl = nullptr;  ///< The same, of an object that is there.
  PublicAccessBlock block = {};
};

enum class Decision : std::uint8_t {
  allowed,
  denied,             ///< Nothing allows it.
  denied_explicitly,  ///< A statement denies it.
};

/// The one place that decides. An explicit Deny wins; what nothing allows is denied.
/// Inside one account either side is enough, between accounts both are needed
/// (docs/decisions/access-decisions.md).
Decision decide(const Request& request, const IdentitySide& identity, const ResourceSide& resource) noexcept;

}  // namespace kiseki::iam
