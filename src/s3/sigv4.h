#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/hash.h"
#include "s3/error.h"
#include "s3/http_message.h"
#include "s3/uri.h"

// AWS Signature Version 4 for S3, without I/O and without a clock: "Authenticating Requests (AWS Signature
// Version 4)" of the S3 API reference.

namespace kiseki::s3 {

/// What a day's signatures of one access key are made with; zeroed when it dies.
class SigningKey {
 public:
  SigningKey(std::string_view secret, std::string_view date, std::string_view region);
  SigningKey(const SigningKey&) = default;
  SigningKey& operator=(const SigningKey&) = default;
  ~SigningKey();

  /// Lower-case hex.
  std::string sign(std::string_view string_to_sign) const;

 private:
  crypto::Digest256 key_;
};

/// The credential scope: date/region/s3/aws4_request.
struct CredentialScope {
  std::string access_key;
  std::string date;
  std::string region;

  std::string to_string() const;
};

/// What a request says of its signature, before anything of it is believed.
struct SignatureClaim {
  enum class Form : std::uint8_t { header, query };

  Form form = Form::header;
  CredentialScope scope;
  std::vector<std::string> signed_headers;  ///< As listed.
  std::string signature;
  std::string timestamp;     ///< "20130524T000000Z"
  std::int64_t time = 0;     ///< The same, in Unix seconds.
  std::int64_t expires = 0;  ///< Seconds; of a query alone.
  std::string payload_hash;  ///< As it stands in the canonical request.
};

/// The refusal of another way to sign than Version 4.
S3Error unsupported_mechanism();

/// Nothing when the request is anonymous. Well-formedness only.
S3Result<std::optional<SignatureClaim>> parse_claim(const HttpHead& head, const Query& query);

/// `path` stands as it is to be signed, encoded; of a claim in the query, its signature does not take part.
std::string canonical_request(const HttpHead& head, std::string_view path, const Query& query,
                              const SignatureClaim& claim);
/// The path as S3 signs it: encoded once, nothing normalised.
inline std::string canonical_path(std::string_view decoded) { return uri_encode(decoded, Slash::kept); }
std::string string_to_sign(const SignatureClaim& claim, std::string_view canonical_request);

/// How the body is vouched for, from the payload hash.
enum class PayloadForm : std::uint8_t {
  unsigned_payload,
  signed_hash,              ///< SHA-256 of the whole.
  stream_signed,            ///< aws-chunked, each chunk signed.
  stream_signed_trailer,    ///< The same, and a signed trailer.
  stream_unsigned_trailer,  ///< aws-chunked with a trailer.
};
S3Result<PayloadForm> payload_form(std::string_view payload_hash);
inline bool is_stream(PayloadForm form) noexcept { return form >= PayloadForm::stream_signed; }

/// SHA-256 of nothing, in hex.
inline constexpr std::string_view empty_sha256 =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The chain of signatures of an aws-chunked body; it begins with the request's own.
class ChunkSigner {
 public:
  ChunkSigner(SigningKey key, const SignatureClaim& claim);

  /// The next chunk's signature, from the SHA-256 of its data.
  std::string sign_chunk(const crypto::Digest256& data);
  /// `trailers`: "name:value\n" each.
  std::string sign_trailer(std::string_view trailers);

 private:
  SigningKey key_;
  std::string timestamp_;
  std::string scope_;
  std::string previous_;
};

}  // namespace kiseki::s3
