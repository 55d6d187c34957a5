#include "s3/authenticator.h"

#include <fmt/format.h>

#include "s3/time_format.h"

namespace kiseki::s3 {

namespace {

constexpr std::int64_t skew_max = 900;  // a quarter of an hour
constexpr std::size_t cached_keys_max = 1024;

/// Whoever can alter an unsigned x-amz field in flight can change what the request does.
S3Result<> check_signed_headers(const HttpHead& head, const SignatureClaim& claim) {
  std::string missing;
  const auto is_signed = [&claim](std::string_view name) {
    return std::ranges::find(claim.signed_headers, name) != claim.signed_headers.end();
  };
  for (const HttpField& field : head.fields()) {
    if ((field.name != "host" && !field.name.starts_with("x-amz-")) || is_signed(field.name)) continue;
    if (!missing.empty()) missing += ", ";
    missing += field.name;
  }
  if (missing.empty()) return {};
  return refuse(S3Error{S3Code::access_denied,
                        "There were headers present in the request which were not signed.",
                        {{"HeadersNotSigned", std::move(missing)}}});
}

S3Error mismatch(const SignatureClaim& claim, std::string canonical, std::string to_sign) {
  return {S3Code::signature_does_not_match,
          {},
          {{"AWSAccessKeyId", claim.scope.access_key},
           {"StringToSign", std::move(to_sign)},
           {"SignatureProvided", claim.signature},
           {"CanonicalRequest", std::move(canonical)}}};
}

std::string iso_of(std::int64_t seconds) {
  return iso_time(static_cast<std::uint64_t>(std::max<std::int64_t>(seconds, 0)) * 1000);
}

}  // namespace

Authenticator::Authenticator(Credentials& credentials, const Clock& clock, std::string region)
    : credentials_(credentials), clock_(clock), region_(std::move(region)) {}

Task<S3Result<std::optional<Identity>>> Authenticator::authenticate(const HttpHead& head, std::string path,
                                                                    const Query& query) {
  auto claimed = parse_claim(head, query);
  if (!claimed) co_return refuse(std::move(claimed).error());
  if (!*claimed) co_return std::optional<Identity>();
  const SignatureClaim& claim = **claimed;
  const auto form = payload_form(claim.payload_hash);
  if (!form) co_return refuse(form.error());
  KISEKI_S3_CO_TRY(check_scope(claim));
  KISEKI_S3_CO_TRY(check_time(claim));
  KISEKI_S3_CO_TRY(check_signed_headers(head, claim));
  if (head.find("x-amz-security-token") || query.has("X-Amz-Security-Token"))
    co_return refuse(S3Code::invalid_token);

  auto credential = co_await credentials_.find(claim.scope.access_key);
  if (!credential && credential.error().code() == Errc::not_found) {
    co_return refuse(
        S3Error{S3Code::invalid_access_key_id, {}, {{"AWSAccessKeyId", claim.scope.access_key}}});
  }
  if (!credential) co_return refuse(translate(credential.error(), Subject::service));

  const SigningKey& key = signing_key(claim.scope, credential->secret.text());
  KISEKI_S3_CO_TRY(check_signature(head, path, query, claim, key));
  Identity identity{credential->key, claim.form, *form, claim.payload_hash, std::nullopt};
  if (is_stream(*form) && *form != PayloadForm::stream_unsigned_trailer) identity.signer.emplace(key, claim);
  co_return identity;
}

S3Result<> Authenticator::check_signature(const HttpHead& head, const std::string& path, const Query& query,
                                          const SignatureClaim& claim, const SigningKey& key) {
  std::string canonical = canonical_request(head, canonical_path(path), query, claim);
  std::string to_sign = string_to_sign(claim, canonical);
  if (equal_constant_time(as_view(key.sign(to_sign)), as_view(claim.signature))) return {};
  // curl signs the path as it sends it, whether or not it is encoded as S3 wants; it says the same.
  const std::string_view sent = head.target().substr(0, head.target().find('?'));
  const std::string as_sent = string_to_sign(claim, canonical_request(head, sent, query, claim));
  if (equal_constant_time(as_view(key.sign(as_sent)), as_view(claim.signature))) return {};
  return refuse(mismatch(claim, std::move(canonical), std::move(to_sign)));
}

S3Result<> Authenticator::check_scope(const SignatureClaim& claim) const {
  if (claim.scope.region == region_) return {};
  const S3Code code = claim.form == SignatureClaim::Form::header
                          ? S3Code::authorization_header_malformed
                          : S3Code::authorization_query_parameters_error;
  return refuse(S3Error{code,
                        fmt::format("The credential is malformed; the region '{}' is wrong; expecting '{}'.",
                                    claim.scope.region, region_),
                        {{"Region", region_}}});
}

S3Result<> Authenticator::check_time(const SignatureClaim& claim) const {
  const std::int64_t now = unix_seconds(clock_.wall());
  if (claim.form == SignatureClaim::Form::query) {
    if (claim.time > now + skew_max) return refuse(S3Code::access_denied, "Request is not yet valid.");
    if (now <= claim.time + claim.expires) return {};
    return refuse(S3Error{S3Code::access_denied,
                          "Request has expired.",
                          {{"Expires", iso_of(claim.time + claim.expires)}, {"ServerTime", iso_of(now)}}});
  }
  if (claim.time >= now - skew_max && claim.time <= now + skew_max) return {};
  return refuse(S3Error{S3Code::request_time_too_skewed,
                        {},
                        {{"RequestTime", claim.timestamp},
                         {"ServerTime", iso_of(now)},
                         {"MaxAllowedSkewMilliseconds", fmt::format("{}", skew_max * 1000)}}});
}

const SigningKey& Authenticator::signing_key(const CredentialScope& scope, std::string_view secret) {
  const std::string name = scope.access_key + "/" + scope.date;
  const auto found = keys_.find(name);
  if (found != keys_.end() && equal_constant_time(as_view(found->second.secret.text()), as_view(secret)))
    return found->second.key;
  if (keys_.size() >= cached_keys_max) keys_.clear();
  CachedKey made{crypto::SecretText(std::string(secret)), SigningKey(secret, scope.date, region_)};
  return keys_.insert_or_assign(name, std::move(made)).first->second.key;
}

}  // namespace kiseki::s3
