#include "s3/access.h"

#include <fmt/format.h>

#include "iam/operations.h"
#include "s3/copy_source.h"
#include "s3/time_format.h"

namespace kiseki::s3 {

namespace {

using iam::ContextKey;
using Of = iam::Requirement::Of;

struct FieldKey {
  std::string_view field;
  ContextKey key;
};

constexpr FieldKey field_keys[] = {
    {"user-agent", ContextKey::user_agent},
    {"referer", ContextKey::referer},
    {"if-match", ContextKey::if_match},
    {"if-none-match", ContextKey::if_none_match},
    {"x-amz-acl", ContextKey::acl},
    {"x-amz-content-sha256", ContextKey::content_sha256},
    {"x-amz-copy-source", ContextKey::copy_source},
    {"x-amz-grant-full-control", ContextKey::grant_full_control},
    {"x-amz-grant-read", ContextKey::grant_read},
    {"x-amz-grant-read-acp", ContextKey::grant_read_acp},
    {"x-amz-grant-write", ContextKey::grant_write},
    {"x-amz-grant-write-acp", ContextKey::grant_write_acp},
    {"x-amz-metadata-directive", ContextKey::metadata_directive},
    {"x-amz-object-lock-mode", ContextKey::object_lock_mode},
    {"x-amz-object-lock-retain-until-date", ContextKey::object_lock_retain_until},
    {"x-amz-object-lock-legal-hold", ContextKey::object_lock_legal_hold},
    {"x-amz-object-ownership", ContextKey::object_ownership},
    {"x-amz-server-side-encryption", ContextKey::server_side_encryption},
    {"x-amz-server-side-encryption-aws-kms-key-id", ContextKey::sse_kms_key_id},
    {"x-amz-server-side-encryption-customer-algorithm", ContextKey::sse_customer_algorithm},
    {"x-amz-storage-class", ContextKey::storage_class},
    {"x-amz-website-redirect-location", ContextKey::website_redirect_location},
};

constexpr FieldKey parameter_keys[] = {
    {"prefix", ContextKey::prefix},
    {"delimiter", ContextKey::delimiter},
    {"max-keys", ContextKey::max_keys},
    {"versionId", ContextKey::version_id},
};

/// One sender with all that conditions may ask about one request.
class Question {
 public:
  Question(const Identity& who, const Asked& asked)
      : who_(*who.key.rights),
        seconds_(unix_seconds(asked.time)),
        now_(seconds_),
        epoch_(fmt::format("{}", seconds_)) {
    using enum ContextKey;
    who_.principal.describe(context_);
    context_.set_tags(principal_tag, who_.tags);
    context_.set(resource_account, who_.principal.account);
    context_.set(s3_resource_account, who_.principal.account);
    context_.set(current_time, now_.view());
    context_.set(epoch_time, epoch_);
    context_.set(secure_transport, "false");  // there is no TLS here
    if (!asked.source.empty()) context_.set(source_ip, asked.source);
    context_.set(auth_type, who.form == SignatureClaim::Form::header ? "REST-HEADER" : "REST-QUERY-STRING");
    for (const auto& [field, key] : field_keys) {
      if (const auto value = asked.head.find(field)) context_.set(key, *value);
    }
    for (const auto& [parameter, key] : parameter_keys) {
      if (const std::string* value = asked.query.find(parameter)) context_.set(key, *value);
    }
  }
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;

  /// Buckets that are found at all are the tenant's own, and have neither policies nor lists.
  bool may(iam::Action action, std::string_view resource) const {
    iam::ResourceSide side;
    side.account = who_.principal.account;
    return iam::decide({who_.principal, action, resource, context_}, who_.side(), side) ==
           iam::Decision::allowed;
  }

 private:
  const fs::KeyRights& who_;
  std::int64_t seconds_;
  iam::TimeText now_;
  std::string epoch_;
  iam::Context context_;
};

bool is_asked_for(const iam::Requirement& requirement, const HttpHead& head) {
  if (requirement.field.empty()) return true;
  if (!requirement.field.ends_with('-')) return head.find(requirement.field).has_value();
  return std::ranges::any_of(head.fields(), [&](const HttpField& field) {
    return std::string_view(field.name).starts_with(requirement.field);
  });
}

bool may(const Question& question, iam::Action action, const Address& address) {
  if (address.key.empty()) return question.may(action, iam::ResourceName(address.bucket).view());
  return question.may(action, iam::ResourceName(address.bucket, address.key).view());
}

S3Result<> check(const Question& question, const iam::Requirement& requirement, const Address& address,
                 const Asked& asked) {
  bool allowed = false;
  if (requirement.of == Of::service) {
    allowed = question.may(requirement.action, iam::service_arn);
  } else if (requirement.of == Of::source) {
    const auto source = copy_source(asked.head);
    if (!source) return refuse(source.error());
    allowed = may(question, requirement.action, *source);
  } else {
    const bool of_version = asked.query.has("versionId");
    allowed = may(question, of_version ? requirement.of_version : requirement.action, address);
  }
  if (!allowed) return refuse(S3Code::access_denied);
  return {};
}

}  // namespace

S3Result<> authorise(const std::optional<Identity>& who, const Action& action, const Address& address,
                     const Asked& asked) {
  if (action.permission.empty()) return {};
  if (!who) return refuse(S3Code::access_denied, "Anonymous requests are not allowed.");
  if (!who->key.rights || action.operation == "DeleteObjects") return {};
  const auto requirements = iam::requirements_of(action.operation);
  if (requirements.empty()) return refuse(S3Code::access_denied);
  const Question question(*who, asked);
  for (const iam::Requirement& requirement : requirements) {
    if (is_asked_for(requirement, asked.head)) KISEKI_S3_TRY(check(question, requirement, address, asked));
  }
  return {};
}

bool may_delete(const Call& call, std::string_view key) {
  if (!call.identity.key.rights) return true;
  const Question question(call.identity, {call.head, call.query, call.source, call.time});
  return question.may(iam::Action::delete_object, iam::ResourceName(call.bucket, key).view());
}

}  // namespace kiseki::s3
