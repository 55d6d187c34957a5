#include "s3/authenticator.h"

#include <fmt/format.h>

#include "s3/routes.h"
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

Authenticator::Authenticator(Credentials& credentials, const Clock& clock, ServiceOptions options)
    : credentials_(credentials), clock_(clock), options_(std::move(options)) {}

Task<S3Result<std::optional<Identity>>> Authenticator::authenticate(const HttpHead& head, std::string path,
                                                                    const Query& query) {
  auto presigned = parse_presigned_v2(query);
  if (!presigned) co_return refuse(std::move(presigned).error());
  if (*presigned) co_return co_await authenticate_presigned(head, **std::move(presigned), query);
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

  const auto credential = co_await find_credential(claim.scope.access_key);
  if (!credential) co_return refuse(credential.error());
  const SigningKey& key = signing_key(claim.scope, credential->secret.text());
  KISEKI_S3_CO_TRY(check_signature(head, path, query, claim, key));
  Identity identity{credential->key, claim.form, *form, claim.payload_hash, std::nullopt};
  if (is_stream(*form) && *form != PayloadForm::stream_unsigned_trailer) identity.signer.emplace(key, claim);
  co_return identity;
}

Task<S3Result<fs::Credential>> Authenticator::find_credential(std::string access_key) {
  auto credential = co_await credentials_.find(access_key);
  if (credential) co_return *std::move(credential);
  if (credential.error().code() != Errc::not_found)
    co_return refuse(translate(credential.error(), Subject::service));
  co_return refuse(S3Error{S3Code::invalid_access_key_id, {}, {{"AWSAccessKeyId", std::move(access_key)}}});
}

Task<S3Result<std::optional<Identity>>> Authenticator::authenticate_presigned(const HttpHead& head,
                                                                              PresignedV2 claim,
                                                                              const Query& query) {
  if (options_.presigned_v2 == PresignedV2Policy::refused) co_return refuse(unsupported_mechanism());
  if (head.find("authorization")) {
    co_return refuse(S3Code::invalid_argument,
                     "Only one auth mechanism allowed; use the header or the query.");
  }
  KISEKI_S3_CO_TRY(check_not_expired(claim.expires));
  if (head.find("x-amz-security-token") || query.has("x-amz-security-token"))
    co_return refuse(S3Code::invalid_token);
  const std::string_view hash = head.find("x-amz-content-sha256").value_or("UNSIGNED-PAYLOAD");
  const auto form = payload_form(hash);
  if (!form) co_return refuse(form.error());
  // There is no chain of signatures for chunks to go on from.
  if (is_stream(*form) && *form != PayloadForm::stream_unsigned_trailer)
    co_return refuse(not_built("Header", "x-amz-content-sha256"));
  const auto credential = co_await find_credential(claim.access_key);
  if (!credential) co_return refuse(credential.error());
  const std::string_view path = head.target().substr(0, head.target().find('?'));
  const std::string_view bucket = bucket_of_host(head.get("host"), options_.domain);
  std::string to_sign = string_to_sign_v2(head, bucket, path, query);
  if (!equal_constant_time(as_view(sign_v2(credential->secret.text(), to_sign)), as_view(claim.signature))) {
    co_return refuse(S3Error{S3Code::signature_does_not_match,
                             {},
                             {{"AWSAccessKeyId", std::move(claim.access_key)},
                              {"StringToSign", std::move(to_sign)},
                              {"SignatureProvided", std::move(claim.signature)}}});
  }
  co_return Identity{credential->key, SignatureClaim::Form::query, *form, std::string(hash), std::nullopt};
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
  if (claim.scope.region == options_.region) return {};
  const S3Code code = claim.form == SignatureClaim::Form::header
                          ? S3Code::authorization_header_malformed
                          : S3Code::authorization_query_parameters_error;
  return refuse(S3Error{code,
                        fmt::format("The credential is malformed; the region '{}' is wrong; expecting '{}'.",
                                    claim.scope.region, options_.region),
                        {{"Region", options_.region}}});
}

S3Result<> Authenticator::check_not_expired(std::int64_t expires) const {
  const std::int64_t now = unix_seconds(clock_.wall());
  if (now <= expires) return {};
  return refuse(S3Error{S3Code::access_denied,
                        "Request has expired.",
                        {{"Expires", iso_of(expires)}, {"ServerTime", iso_of(now)}}});
}

S3Result<> Authenticator::check_time(const SignatureClaim& claim) const {
  const std::int64_t now = unix_seconds(clock_.wall());
  if (claim.form == SignatureClaim::Form::query) {
    if (claim.time > now + skew_max) return refuse(S3Code::access_denied, "Request is not yet valid.");
    return check_not_expired(claim.time + claim.expires);
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
  CachedKey made{crypto::SecretText(std::string(secret)), SigningKey(secret, scope.date, options_.region)};
  return keys_.insert_or_assign(name, std::move(made)).first->second.key;
}

}  // namespace kiseki::s3
