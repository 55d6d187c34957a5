#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/task.h"
#include "s3/credentials.h"
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
  Authenticator(Credentials& credentials, const Clock& clock, std::string region);

  /// Nothing when the request is anonymous. `head` and `query` outlive the call. Comparisons of secrets take
  /// a time that does not depend on them.
  Task<S3Result<std::optional<Identity>>> authenticate(const HttpHead& head, std::string path,
                                                       const Query& query);

 private:
  struct CachedKey {
    crypto::SecretText secret;  // a changed one makes another key
    SigningKey key;
  };

  static S3Result<> check_signature(const HttpHead& head, const std::string& path, const Query& query,
                                    const SignatureClaim& claim, const SigningKey& key);
  S3Result<> check_scope(const SignatureClaim& claim) const;
  S3Result<> check_time(const SignatureClaim& claim) const;
  const SigningKey& signing_key(const CredentialScope& scope, std::string_view secret);

  Credentials& credentials_;
  const Clock& clock_;
  std::string region_;
  std::map<std::string, CachedKey> keys_;  // by access key and date
};

}  // namespace kiseki::s3
