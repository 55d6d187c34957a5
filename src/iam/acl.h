#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "iam/principal.h"

namespace kiseki::iam {

enum class AclPermission : std::uint8_t { read, write, read_acp, write_acp, full_control };

struct Grantee {
  enum class Type : std::uint8_t { account, everyone, authenticated, log_delivery };
  Type type = Type::account;
  std::string canonical;  ///< Of an account.
  friend bool operator==(const Grantee&, const Grantee&) = default;
};

/// "http://acs.amazonaws.com/groups/global/AllUsers" and its like.
std::optional<Grantee> group_of(std::string_view uri) noexcept;
std::string_view uri_of(Grantee::Type group) noexcept;

struct AclGrant {
  Grantee grantee;
  AclPermission permission = AclPermission::read;
  friend bool operator==(const AclGrant&, const AclGrant&) = default;
};

enum class CannedAcl : std::uint8_t {
  private_,
  public_read,
  public_read_write,
  authenticated_read,
  aws_exec_read,
  bucket_owner_read,
  bucket_owner_full_control,
  log_delivery_write,
};

/// As x-amz-acl has it.
std::optional<CannedAcl> find_canned_acl(std::string_view name) noexcept;

/// Who may do what to one bucket or object besides what policies say. At most `grants_max` grants.
struct Acl {
  static constexpr std::size_t grants_max = 100;

  std::string owner;  ///< Canonical id.
  std::vector<AclGrant> grants;

  /// What a canned list stands for. `bucket_owner`: of the bucket that an object lies in.
  static Acl of(CannedAcl canned, std::string owner, std::string_view bucket_owner);

  /// It grants something to everyone or to whoever has an account.
  bool is_public() const noexcept;
  friend bool operator==(const Acl&, const Acl&) = default;
};

/// Adds the grantees of an x-amz-grant-… field: `id="…", uri="…"`. `invalid_argument`; `not_supported` for
/// e-mail addresses, which accounts do not have.
Result<> add_grants(Acl& acl, std::string_view field, AclPermission permission);

/// How access control lists count in a bucket.
enum class Ownership : std::uint8_t {
  bucket_owner_enforced,   ///< Not at all; the bucket's owner owns what is in it.
  bucket_owner_preferred,  ///< An object that says bucket-owner-full-control is the bucket owner's.
  object_writer,           ///< An object is its writer's.
};

/// Canonical id of who owns an object that is made now.
std::string_view owner_of_new_object(Ownership ownership, std::string_view writer,
                                     std::string_view bucket_owner, std::optional<CannedAcl> canned) noexcept;

/// Whether lists of others count.
enum class PublicGrants : std::uint8_t { count, ignored };

/// What the list grants the principal. `broad` by a group, `account` by the account's id.
Naming find_grant(const Acl& acl, AclPermission permission, const Principal& principal,
                  PublicGrants public_grants) noexcept;

}  // namespace kiseki::iam
