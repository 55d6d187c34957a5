#include "iam/context.h"

#include "iam/pattern.h"

namespace kiseki::iam {

namespace {

struct Known {
  std::string_view name;
  ContextKey key;
};

constexpr Known known[] = {
    {"aws:CurrentTime", ContextKey::current_time},
    {"aws:EpochTime", ContextKey::epoch_time},
    {"aws:MultiFactorAuthAge", ContextKey::mfa_age},
    {"aws:MultiFactorAuthPresent", ContextKey::mfa_present},
    {"aws:PrincipalAccount", ContextKey::principal_account},
    {"aws:PrincipalArn", ContextKey::principal_arn},
    {"aws:PrincipalIsAWSService", ContextKey::principal_is_service},
    {"aws:PrincipalType", ContextKey::principal_type},
    {"aws:Referer", ContextKey::referer},
    {"aws:RequestedRegion", ContextKey::requested_region},
    {"aws:ResourceAccount", ContextKey::resource_account},
    {"aws:SecureTransport", ContextKey::secure_transport},
    {"aws:SourceAccount", ContextKey::source_account},
    {"aws:SourceArn", ContextKey::source_arn},
    {"aws:SourceIdentity", ContextKey::source_identity},
    {"aws:SourceIp", ContextKey::source_ip},
    {"aws:TagKeys", ContextKey::tag_keys},
    {"aws:TokenIssueTime", ContextKey::token_issue_time},
    {"aws:UserAgent", ContextKey::user_agent},
    {"aws:userid", ContextKey::user_id},
    {"aws:username", ContextKey::user_name},
    {"s3:authType", ContextKey::auth_type},
    {"s3:delimiter", ContextKey::delimiter},
    {"s3:if-match", ContextKey::if_match},
    {"s3:if-none-match", ContextKey::if_none_match},
    {"s3:LocationConstraint", ContextKey::location_constraint},
    {"s3:max-keys", ContextKey::max_keys},
    {"s3:ObjectCreationOperation", ContextKey::object_creation_operation},
    {"s3:object-lock-legal-hold", ContextKey::object_lock_legal_hold},
    {"s3:object-lock-mode", ContextKey::object_lock_mode},
    {"s3:object-lock-remaining-retention-days", ContextKey::object_lock_remaining_days},
    {"s3:object-lock-retain-until-date", ContextKey::object_lock_retain_until},
    {"s3:prefix", ContextKey::prefix},
    {"s3:RequestObjectTagKeys", ContextKey::request_object_tag_keys},
    {"s3:ResourceAccount", ContextKey::s3_resource_account},
    {"s3:signatureAge", ContextKey::signature_age},
    {"s3:signatureversion", ContextKey::signature_version},
    {"s3:TlsVersion", ContextKey::tls_version},
    {"s3:VersionId", ContextKey::version_id},
    {"s3:x-amz-acl", ContextKey::acl},
    {"s3:x-amz-content-sha256", ContextKey::content_sha256},
    {"s3:x-amz-copy-source", ContextKey::copy_source},
    {"s3:x-amz-grant-full-control", ContextKey::grant_full_control},
    {"s3:x-amz-grant-read", ContextKey::grant_read},
    {"s3:x-amz-grant-read-acp", ContextKey::grant_read_acp},
    {"s3:x-amz-grant-write", ContextKey::grant_write},
    {"s3:x-amz-grant-write-acp", ContextKey::grant_write_acp},
    {"s3:x-amz-metadata-directive", ContextKey::metadata_directive},
    {"s3:x-amz-object-ownership", ContextKey::object_ownership},
    {"s3:x-amz-server-side-encryption", ContextKey::server_side_encryption},
    {"s3:x-amz-server-side-encryption-aws-kms-key-id", ContextKey::sse_kms_key_id},
    {"s3:x-amz-server-side-encryption-customer-algorithm", ContextKey::sse_customer_algorithm},
    {"s3:x-amz-storage-class", ContextKey::storage_class},
    {"s3:x-amz-website-redirect-location", ContextKey::website_redirect_location},
    {"sts:ExternalId", ContextKey::external_id},
    {"sts:RoleSessionName", ContextKey::role_session_name},
    {"iam:PermissionsBoundary", ContextKey::permissions_boundary},
    {"iam:PolicyARN", ContextKey::policy_arn},
    {"iam:PassedToService", ContextKey::passed_to_service},
};

constexpr Known tagged[] = {
    {"aws:PrincipalTag", ContextKey::principal_tag},
    {"aws:RequestTag", ContextKey::request_tag},
    {"aws:ResourceTag", ContextKey::resource_tag},
    {"s3:ExistingObjectTag", ContextKey::existing_object_tag},
    {"s3:RequestObjectTag", ContextKey::request_object_tag},
};

}  // namespace

Result<KeyName> KeyName::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view name = text.substr(0, slash);
  const std::size_t colon = name.find(':');
  if (colon == name.npos || colon == 0 || colon + 1 == name.size())
    return fail(Errc::invalid_argument, "a condition key has the form service:name");
  const std::span<const Known> list = slash == text.npos ? std::span<const Known>(known) : tagged;
  for (const Known& one : list) {
    if (!equal_in_any_case(one.name, name)) continue;
    if (slash == text.npos) return KeyName{one.key, {}};
    if (slash + 1 == text.size()) return fail(Errc::invalid_argument, "the condition key names no tag");
    return KeyName{one.key, std::string(text.substr(slash + 1))};
  }
  return KeyName{ContextKey::other, std::string(text)};
}

void Context::set(ContextKey key, Slot slot) noexcept {
  const auto at = static_cast<std::size_t>(key);
  slots_[at] = slot;
  present_.set(at);
}

void Context::set(ContextKey key, std::string_view value) noexcept {
  set(key, {Slot::Type::one, value.data(), value.size()});
}

void Context::set(ContextKey key, std::span<const std::string_view> values) noexcept {
  set(key, {Slot::Type::many, values.data(), values.size()});
}

void Context::set_tags(ContextKey key, std::span<const Tag> tags) noexcept {
  set(key, {Slot::Type::tags, tags.data(), tags.size()});
}

Values Context::find(const KeyName& name) const noexcept {
  const auto at = static_cast<std::size_t>(name.key);
  if (!present_[at]) return {};
  const Slot& slot = slots_[at];
  switch (slot.type) {
    case Slot::Type::one:
      return Values(std::string_view(static_cast<const char*>(slot.data), slot.size));
    case Slot::Type::many:
      return Values(std::span(static_cast<const std::string_view*>(slot.data), slot.size));
    case Slot::Type::tags:
      break;
  }
  for (const Tag& tag : std::span(static_cast<const Tag*>(slot.data), slot.size)) {
    if (tag.key == name.tag) return Values(tag.value);
  }
  return {};
}

TimeText::TimeText(std::int64_t unix_seconds) noexcept {
  using namespace std::chrono;
  const sys_seconds time{seconds(unix_seconds)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  const auto end = fmt::format_to_n(text_.data(), text_.size(), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
                                    static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                                    static_cast<unsigned>(date.day()), clock.hours().count(),
                                    clock.minutes().count(), clock.seconds().count());
  size_ = std::min(end.size, text_.size());
}

}  // namespace kiseki::iam
