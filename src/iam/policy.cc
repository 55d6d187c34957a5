#include "iam/policy.h"

#include <algorithm>

namespace kiseki::iam {

namespace {

constexpr std::string_view s3_prefix = "arn:aws:s3:::";

/// How a statement of a bucket or trust policy is about the principal.
Naming naming_of(const Statement& statement, const Principal& principal) noexcept {
  if (statement.principal_sense == Statement::Sense::listed) return statement.principals.find(principal);
  // A level left out of the list is enough to be denied, and a level in it to be allowed nothing.
  if (statement.effect == Effect::deny)
    return statement.principals.names_whole(principal) ? Naming::none : Naming::broad;
  return statement.principals.find(principal) == Naming::none ? Naming::broad : Naming::none;
}

bool is_about(const Statement& statement, const Request& request) noexcept {
  if (statement.resources.empty()) return true;
  bool unknown = false;
  for (const Pattern& pattern : statement.resources) {
    const Match match = pattern.match(request.resource, request.context);
    if (match == Match::yes) return statement.resource_sense == Statement::Sense::listed;
    unknown = unknown || match == Match::unknown;
  }
  if (statement.resource_sense == Statement::Sense::listed) return false;
  return !unknown || statement.effect == Effect::deny;
}

}  // namespace

Naming Policy::applies(const Statement& statement, const Request& request) const noexcept {
  if (!statement.actions.contains(request.action)) return Naming::none;
  const bool names_principals = type_ == PolicyType::bucket || type_ == PolicyType::trust;
  const Naming naming = names_principals ? naming_of(statement, request.principal) : Naming::exact;
  if (naming == Naming::none || !is_about(statement, request)) return Naming::none;
  for (const Condition& condition : statement.conditions) {
    if (!condition.holds(request.context, statement.effect)) return Naming::none;
  }
  return naming;
}

Verdict Policy::judge(const Request& request) const noexcept {
  Verdict verdict;
  for (const Statement& statement : statements_) {
    const Naming naming = applies(statement, request);
    if (naming == Naming::none) continue;
    if (statement.effect == Effect::deny) return {.denies = true};
    verdict.allows = std::max(verdict.allows, naming);
  }
  return verdict;
}

ResourceName::ResourceName(std::string_view bucket) { join({s3_prefix, bucket}); }

ResourceName::ResourceName(std::string_view bucket, std::string_view key) {
  join({s3_prefix, bucket, "/", key});
}

void ResourceName::join(std::initializer_list<std::string_view> parts) {
  std::size_t size = 0;
  for (const std::string_view part : parts) size += part.size();
  if (size > inline_.size()) long_.resize(size);
  char* const begin = size > inline_.size() ? long_.data() : inline_.data();
  char* end = begin;
  for (const std::string_view part : parts) end = std::ranges::copy(part, end).out;
  view_ = {begin, size};
}

}  // namespace kiseki::iam
