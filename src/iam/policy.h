#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "iam/actions.h"
#include "iam/condition.h"
#include "iam/principal.h"

namespace kiseki::iam {

/// What a policy is attached to, which decides what may stand in it and how long it may be.
enum class PolicyType : std::uint8_t {
  managed,          ///< Of an account, attached to users, groups and roles; also as a boundary.
  identity_inline,  ///< Of one user, group or role.
  session,          ///< Passed along when a role is taken.
  bucket,
  trust,  ///< Who may take a role.
};

/// Bytes of a document; of identity policies without white space outside strings.
std::size_t document_size_max(PolicyType type) noexcept;

/// One request, as policies see it. All of it outlives the question.
struct Request {
  const Principal& principal;
  Action action;
  std::string_view resource;  ///< ARN of what it is done to.
  const Context& context;
};

struct Statement {
  enum class Sense : std::uint8_t { listed, all_but_listed };

  std::string sid;
  Effect effect = Effect::allow;
  Sense principal_sense = Sense::listed;
  PrincipalSet principals;  ///< Empty in policies of identities.
  ActionSet actions;        ///< NotAction is resolved.
  Sense resource_sense = Sense::listed;
  std::vector<Pattern> resources;  ///< Empty in trust policies.
  std::vector<Condition> conditions;
};

/// What a policy says to a request.
struct Verdict {
  bool denies = false;
  Naming allows = Naming::none;  ///< Closest; policies of identities say `exact`.
};

/// A policy document, parsed once. Judging a request allocates nothing.
class Policy {
 public:
  /// `bucket`: the bucket that a bucket policy is for. `invalid_argument`, with the place in the document:
  /// "Statement[0].Action[1]: …"; `too_large`.
  static Result<Policy> parse(std::string_view document, PolicyType type, std::string_view bucket = {});

  Verdict judge(const Request& request) const noexcept;

  PolicyType type() const noexcept { return type_; }
  const std::vector<Statement>& statements() const noexcept { return statements_; }
  /// What conditions and variables ask about: what need not be set when it is costly.
  const ContextKeys& keys() const noexcept { return keys_; }
  bool asks(ContextKey key) const noexcept { return keys_[static_cast<std::size_t>(key)]; }
  /// It allows something to everyone, and no condition pins the sender to known values.
  bool is_public() const noexcept { return is_public_; }

 private:
  friend class PolicyParser;

  Naming applies(const Statement& statement, const Request& request) const noexcept;

  PolicyType type_ = PolicyType::managed;
  std::vector<Statement> statements_;
  ContextKeys keys_;
  bool is_public_ = false;
};

/// "arn:aws:s3:::bucket" or, with a key, "arn:aws:s3:::bucket/key", without allocation for keys of S3's
/// length.
class ResourceName {
 public:
  explicit ResourceName(std::string_view bucket);
  ResourceName(std::string_view bucket, std::string_view key);
  ResourceName(const ResourceName&) = delete;
  ResourceName& operator=(const ResourceName&) = delete;

  std::string_view view() const noexcept { return view_; }

 private:
  void join(std::initializer_list<std::string_view> parts);

  std::array<char, 1152> inline_;
  std::string long_;
  std::string_view view_;
};

}  // namespace kiseki::iam
