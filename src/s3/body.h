#pragma once

#include <optional>
#include <string>

#include "crypto/hash_lanes.h"
#include "fs/objects.h"
#include "s3/authenticator.h"
#include "s3/checksum.h"
#include "s3/http_stream.h"

namespace kiseki::s3 {

/// What the sender says of a request's body; every word of it is checked.
struct BodyRules {
  PayloadForm form = PayloadForm::unsigned_payload;
  std::string sha256;                 ///< Raw digest, of a signed hash.
  std::optional<ChunkSigner> signer;  ///< Of signed chunks.
  std::optional<Bytes> length;        ///< Of the content, without aws-chunked framing.
  std::string md5;                    ///< Raw digest; empty: not given.
  std::optional<ChecksumAlgorithm> checksum;
  std::string checksum_value;  ///< base64; empty: it follows in the trailer.
};

/// What `x-amz-checksum-*` of a request speak of: its body, or an object whose parts came before.
enum class ChecksumOf : std::uint8_t { body, object };

/// From the fields of a request whose identity is proved.
S3Result<BodyRules> body_rules(const HttpHead& head, const Identity& identity, ChecksumOf checksum_of);

/// A request's body on its way into the file system: decoded, hashed as it passes, checked at its end.
/// Nothing of it counts before `finish` has returned without an error.
class Body final : public fs::Source {
 public:
  enum class Md5 : std::uint8_t { if_given, always };

  /// `stream` and `lanes` outlive it.
  Body(HttpStream& stream, BodyRules rules, crypto::HashLanes& lanes);

  /// Before the first byte is read: what `finish` hands over, with the ETag and the checksum added.
  void set_properties(fs::Properties properties, Md5 md5);
  /// Takes a checksum that the sender did not give, unless it gave one.
  void compute_checksum(ChecksumAlgorithm algorithm);

  std::optional<Bytes> size() const override { return rules_.length; }
  Task<Result<fs::Arrival>> arrival() override;
  Task<Result<std::size_t>> read(MutableView into) override;
  bool pauses() const override { return stream_.paused(); }
  std::optional<crypto::Digest256> digest() const override { return digest_; }
  Result<fs::Properties> finish() override;

  /// A small document, whole and checked. `entity_too_large` above `limit`.
  Task<S3Result<std::string>> read_all(std::size_t limit);

  const BodyRules& rules() const noexcept { return rules_; }
  Bytes bytes_received() const noexcept { return total_; }
  /// Why reading or finishing failed, in this face's words.
  const std::optional<S3Error>& failure() const noexcept { return failure_; }

 private:
  Task<Result<std::size_t>> read_content(MutableView into);
  Task<Result<std::size_t>> read_framed(MutableView into);
  Task<Result<std::size_t>> receive(MutableView into);
  std::unexpected<Error> fail_with(const Error& of_connection);
  Result<> step_framing();
  Result<> check_chunk();
  Result<> check_trailers();
  void choose_hashes();
  void absorb(View bytes);
  S3Error wrong_length() const;
  Result<> take_end();
  Result<> check_digests();
  std::unexpected<Error> fail_with(S3Error error);

  HttpStream& stream_;
  BodyRules rules_;
  crypto::HashLanes& lanes_;
  fs::Properties properties_;
  std::optional<S3Error> failure_;

  Bytes total_ = 0;
  bool ended_ = false;
  bool wants_md5_;
  std::optional<crypto::LaneHasher> hasher_;  // MD5, and SHA-256 where it is wanted too
  std::optional<crypto::Hasher> sha256_;      // without MD5
  std::optional<crypto::DigestMd5> md5_;      // of a body that has ended
  std::optional<crypto::Digest256> digest_;   // of a body that has ended
  std::optional<Checksum> checksum_;
  std::optional<Checksum> beside_;  // kept instead of the one that was sent, which is checked
  std::string etag_;

  // aws-chunked: what was received beyond the framing at hand, and the chunk under way.
  ChunkFraming framing_;
  Buffer lookahead_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::optional<crypto::Hasher> chunk_hash_;
};

}  // namespace kiseki::s3
