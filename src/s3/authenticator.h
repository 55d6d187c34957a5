#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/task.h"
#include "s3/credentials.h"
#include "s3/service_options.h"
#include "s3/sigv2.h"
#include "s3/sigv4.h"

namespace kiseki::s3 {

/// Who sends a request, proved; and how its body is vouched for.
struct Identity {
  fs::AccessKey key;
  SignatureClaim::Form form = SignatureClaim::Form::header;
  PayloadForm payload = PayloadForm::unsigned_payload;
  std::string payload_hash;
  std::optional<ChunkSigner> signer;  ///< For signed chunks.
};

/// Proves who sends a request, by its signature. One core; keeps the signing keys of the day.
class Authenticator {
 public:
  /// `credentials` and `clock` outlive it.
  Authenticator(Credentials& credentials, const Clock& clock, ServiceOptions options);

  /// Nothing when the request is anonymous. `head` and `query` outlive the call. Comparisons of secrets take
  /// a time that does not depend on them.
  Task<S3Result<std::optional<Identity>>> authenticate(const HttpHead& head, std::string path,
                                                       const Query& query);

 private:
  struct CachedKey {
    crypto::SecretText secret;  // a changed one makes another key
    SigningKey key;
  };

  Task<S3Result<std::optional<Identity>>> authenticate_presigned(const HttpHead& head, PresignedV2 claim,
                                                                 const Query& query);
  Task<S3Result<fs::Credential>> find_credential(std::string access_key);
  static S3Result<> check_signature(const HttpHead& head, const std::string& path, const Query& query,
                                    const SignatureClaim& claim, const SigningKey& key);
  S3Result<> check_scope(const SignatureClaim& claim) const;
  S3Result<> check_not_expired(std::int64_t expires) const;
  S3Result<> check_time(const SignatureClaim& claim) const;
  const SigningKey& signing_key(const CredentialScope& scope, std::string_view secret);

  Credentials& credentials_;
  const Clock& clock_;
  ServiceOptions options_;
  std::map<std::string, CachedKey> keys_;  // by access key and date
};

}  // namespace kiseki::s3
