#include "s3/body.h"

#include "base/encoding.h"

namespace kiseki::s3 {

namespace {

constexpr std::size_t lookahead_size = 4_KiB;
/// Checked right after it was received, while it is in the cache.
constexpr std::size_t slice_size = 128_KiB;
/// A body of fewer bytes is hashed at once: what others could save it costs as much as waiting for them.
constexpr std::size_t worth_sharing = 16_KiB;
/// A body up to here is one piece of the file system, which then needs no pass of its own for the SHA-256.
constexpr Bytes one_piece = 4_MiB;
constexpr std::string_view chunk_signature_name = "chunk-signature=";
constexpr std::string_view trailer_signature_name = "x-amz-trailer-signature";

S3Result<std::optional<Bytes>> content_length(const HttpHead& head, PayloadForm form) {
  if (!is_stream(form)) return head.content_length();
  const std::string_view field = head.get("x-amz-decoded-content-length");
  if (field.empty()) return refuse(S3Code::missing_content_length);
  const auto length = parse_decimal<Bytes>(field);
  if (!length) {
    return refuse(bad_argument("x-amz-decoded-content-length", field,
                               "x-amz-decoded-content-length must be a number."));
  }
  return length;
}

/// One checksum, in a field or announced for the trailer.
S3Result<> take_checksum(BodyRules& rules, const HttpHead& head) {
  constexpr const char* several =
      "Expecting a single x-amz-checksum- header. Multiple checksum types are not allowed.";
  for (const HttpField& field : head.fields()) {
    const auto algorithm = algorithm_of_field(field.name);
    if (!algorithm) continue;
    if (rules.checksum) return refuse(S3Code::invalid_request, several);
    rules.checksum = algorithm;
    rules.checksum_value = field.value;
    const auto value = base64_decode(field.value);
    if (!value || value->size() != size_of(*algorithm)) {
      return refuse(S3Code::invalid_request, fmt::format("Value for {} header is invalid.", field.name));
    }
  }
  if (const auto trailer = head.find("x-amz-trailer")) {
    if (rules.checksum) return refuse(S3Code::invalid_request, several);
    rules.checksum = algorithm_of_field(*trailer);
    const bool expected = rules.form == PayloadForm::stream_signed_trailer ||
                          rules.form == PayloadForm::stream_unsigned_trailer;
    if (!rules.checksum || !expected) {
      return refuse(S3Code::invalid_request,
                    "The value specified in the x-amz-trailer header is not supported.");
    }
  }
  if (!rules.checksum && head.find("x-amz-sdk-checksum-algorithm")) {
    return refuse(
        S3Code::invalid_request,
        "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer "
        "headers were found.");
  }
  return {};
}

}  // namespace

S3Result<BodyRules> body_rules(const HttpHead& head, const Identity& identity, ChecksumOf checksum_of) {
  BodyRules rules;
  rules.form = identity.payload;
  rules.signer = identity.signer;
  if (identity.payload == PayloadForm::signed_hash)
    rules.sha256 = hex_decode(identity.payload_hash).value_or("");
  auto length = content_length(head, identity.payload);
  if (!length) return refuse(std::move(length).error());
  rules.length = *length;
  if (const auto field = head.find("content-md5")) {
    const auto digest = base64_decode(*field);
    if (!digest || digest->size() != sizeof(crypto::DigestMd5)) {
      return refuse(S3Error{S3Code::invalid_digest,
                            "The Content-MD5 you specified was invalid.",
                            {{"Content-MD5", std::string(*field)}}});
    }
    rules.md5 = *digest;
  }
  if (checksum_of == ChecksumOf::body) KISEKI_S3_TRY(take_checksum(rules, head));
  return rules;
}

Body::Body(HttpStream& stream, BodyRules rules, crypto::HashLanes& lanes)
    : stream_(stream), rules_(std::move(rules)), lanes_(lanes), wants_md5_(!rules_.md5.empty()) {
  if (rules_.checksum) checksum_.emplace(*rules_.checksum);
  if (rules_.signer) chunk_hash_.emplace(crypto::HashKind::sha256);
  if (is_stream(rules_.form)) lookahead_ = Buffer(lookahead_size);
}

void Body::set_properties(fs::Properties properties, Md5 md5) {
  properties_ = std::move(properties);
  if (md5 == Md5::always) wants_md5_ = true;
}

void Body::choose_hashes() {
  const bool is_signed = rules_.form == PayloadForm::signed_hash;
  if (!wants_md5_) {
    if (is_signed) sha256_.emplace(crypto::HashKind::sha256);
    return;
  }
  const bool both = is_signed || rules_.length.value_or(one_piece) <= one_piece;
  hasher_.emplace(lanes_, both ? crypto::LaneDigests::md5_and_sha256 : crypto::LaneDigests::md5);
}

void Body::compute_checksum(ChecksumAlgorithm algorithm) {
  std::optional<Checksum>& free = checksum_ ? beside_ : checksum_;
  if (!checksum_ || checksum_->algorithm() != algorithm) free.emplace(algorithm);
}

std::unexpected<Error> Body::fail_with(S3Error error) {
  if (!failure_) failure_ = std::move(error);
  return fail(Errc::invalid_argument, "the request's body is at fault");
}

Task<Result<std::size_t>> Body::read(MutableView into) {
  if (failure_) co_return fail(Errc::invalid_argument, "the request's body is at fault");
  if (ended_) co_return std::size_t{0};
  if (!hasher_ && !sha256_) choose_hashes();
  std::size_t filled = 0;
  while (filled < into.size() && !ended_) {
    const MutableView slice = into.subspan(filled, std::min(slice_size, into.size() - filled));
    const auto count = co_await read_content(slice);
    if (!count) co_return fail(count.error());
    if (*count == 0 && pauses()) break;
    ended_ = *count == 0;
    absorb(slice.first(*count));
    filled += *count;
    if (rules_.length && total_ > *rules_.length) co_return fail_with(wrong_length());
  }
  if (hasher_ && filled < worth_sharing) hasher_->update_now(into.first(filled));
  if (hasher_ && filled >= worth_sharing) co_await hasher_->update(into.first(filled));
  if (ended_) KISEKI_CO_TRY(take_end());
  co_return filled;
}

S3Error Body::wrong_length() const {
  return {S3Code::incomplete_body,
          fmt::format("You did not provide the number of bytes specified by the {} HTTP header.",
                      is_stream(rules_.form) ? "x-amz-decoded-content-length" : "Content-Length"),
          {{"NumberBytesExpected", fmt::format("{}", *rules_.length)},
           {"NumberBytesProvided", fmt::format("{}", total_)}}};
}

Result<> Body::take_end() {
  if (rules_.length && total_ != *rules_.length) return fail_with(wrong_length());
  if (sha256_) digest_ = sha256_->finish<32>();
  if (hasher_) {
    const auto digests = hasher_->finish();
    md5_ = digests.md5;
    digest_ = digests.sha256;
    hasher_.reset();
  }
  return {};
}

void Body::absorb(View bytes) {
  total_ += bytes.size();
  if (sha256_) sha256_->update(bytes);
  if (checksum_) checksum_->update(bytes);
  if (beside_) beside_->update(bytes);
}

Task<Result<std::size_t>> Body::read_content(MutableView into) {
  if (is_stream(rules_.form)) co_return co_await read_framed(into);
  co_return co_await receive(into);
}

Task<Result<std::size_t>> Body::receive(MutableView into) {
  auto count = co_await stream_.read_some(into);
  if (!count) co_return fail_with(count.error());
  co_return *count;
}

Task<Result<fs::Arrival>> Body::arrival() {
  if (failure_) co_return fail(Errc::invalid_argument, "the request's body is at fault");
  const auto is_rest = co_await stream_.await_body();
  if (!is_rest) co_return fail_with(is_rest.error());
  co_return *is_rest ? fs::Arrival::rest : fs::Arrival::some;
}

std::unexpected<Error> Body::fail_with(const Error& of_connection) {
  const bool late = of_connection.code() == Errc::timed_out;
  if (!late && rules_.length) return fail_with(wrong_length());
  return fail_with(S3Error{late ? S3Code::request_timeout : S3Code::incomplete_body});
}

Task<Result<std::size_t>> Body::read_framed(MutableView into) {
  while (framing_.state() == ChunkFraming::State::framing) {
    if (begin_ == end_) {
      const auto count = co_await receive(lookahead_.span());
      if (!count) co_return fail(count.error());
      if (*count == 0 && pauses()) co_return std::size_t{0};
      if (*count == 0) co_return fail_with({S3Code::incomplete_body});
      begin_ = 0;
      end_ = *count;
    }
    if (auto stepped = step_framing(); !stepped) co_return fail(std::move(stepped).error());
  }
  if (framing_.state() == ChunkFraming::State::finished) co_return std::size_t{0};
  if (into.size() > framing_.data_left()) into = into.first(framing_.data_left());
  std::size_t taken = std::min(into.size(), end_ - begin_);
  if (taken > 0) {
    std::memcpy(into.data(), lookahead_.data() + begin_, taken);
    begin_ += taken;
  } else {
    const auto count = co_await receive(into);
    if (!count) co_return fail(count.error());
    if (*count == 0 && pauses()) co_return std::size_t{0};
    if (*count == 0) co_return fail_with({S3Code::incomplete_body});
    taken = *count;
  }
  if (chunk_hash_) chunk_hash_->update(into.first(taken));
  framing_.pass(taken);
  if (framing_.data_left() == 0) {
    if (auto checked = check_chunk(); !checked) co_return fail(std::move(checked).error());
  }
  co_return taken;
}

/// Feeds the framing what is at hand; at the end of the body checks the last chunk and the trailers.
Result<> Body::step_framing() {
  const auto taken = framing_.feed(lookahead_.view().subspan(begin_, end_ - begin_));
  if (!taken)
    return fail_with({S3Code::incomplete_body, "The aws-chunked encoding of the body is not valid."});
  begin_ += *taken;
  if (framing_.state() != ChunkFraming::State::finished) return {};
  KISEKI_TRY(check_chunk());
  if (begin_ != end_)
    return fail_with({S3Code::incomplete_body, "There are bytes after the end of the body."});
  return check_trailers();
}

Result<> Body::check_chunk() {
  if (!rules_.signer) return {};
  const std::string_view extension = framing_.extension();
  if (!extension.starts_with(chunk_signature_name)) {
    return fail_with({S3Code::signature_does_not_match, "A chunk has no signature."});
  }
  const std::string expected = rules_.signer->sign_chunk(chunk_hash_->finish<32>());
  if (equal_constant_time(as_view(expected), as_view(extension.substr(chunk_signature_name.size()))))
    return {};
  return fail_with({S3Code::signature_does_not_match, "The signature of a chunk does not match."});
}

Result<> Body::check_trailers() {
  std::string text;
  std::string signature;
  for (const auto& [name, value] : framing_.trailers()) {
    if (name == trailer_signature_name) {
      signature = value;
      continue;
    }
    text.append(name).append(":").append(value).append("\n");
    if (!rules_.checksum || name != field_of(*rules_.checksum) || !rules_.checksum_value.empty()) {
      return fail_with({S3Code::malformed_trailer});
    }
    rules_.checksum_value = value;
  }
  if (rules_.checksum && rules_.checksum_value.empty()) return fail_with({S3Code::malformed_trailer});
  if (rules_.form == PayloadForm::stream_signed_trailer) {
    const std::string expected = rules_.signer->sign_trailer(text);
    if (!equal_constant_time(as_view(expected), as_view(signature))) {
      return fail_with({S3Code::signature_does_not_match, "The signature of the trailer does not match."});
    }
  }
  return {};
}

Result<fs::Properties> Body::finish() {
  if (!failure_ && !ended_) failure_ = S3Error{S3Code::incomplete_body};
  if (failure_) return fail(Errc::invalid_argument, "the request's body is at fault");
  KISEKI_TRY(check_digests());
  properties_.etag = etag_;
  return std::move(properties_);
}

Result<> Body::check_digests() {
  const bool is_signed = rules_.form == PayloadForm::signed_hash;
  if (is_signed && !equal_constant_time(*digest_, as_view(rules_.sha256))) {
    return fail_with({S3Code::x_amz_content_sha256_mismatch,
                      {},
                      {{"ClientComputedContentSHA256", to_hex(as_view(rules_.sha256))},
                       {"S3ComputedContentSHA256", to_hex(*digest_)}}});
  }
  if (md5_) {
    etag_ = to_hex(*md5_);
    if (!rules_.md5.empty() && !equal(*md5_, as_view(rules_.md5))) {
      return fail_with({S3Code::bad_digest,
                        "The Content-MD5 you specified did not match what we received.",
                        {{"ExpectedDigest", to_hex(as_view(rules_.md5))}, {"CalculatedDigest", etag_}}});
    }
  }
  if (!checksum_) return {};
  const ChecksumAlgorithm algorithm = checksum_->algorithm();
  std::string value = checksum_->finish();
  if (rules_.checksum && value != rules_.checksum_value) {
    return fail_with(
        {S3Code::bad_digest,
         fmt::format("The {} you specified did not match the calculated checksum.", constant_of(algorithm)),
         {{"ExpectedDigest", rules_.checksum_value}, {"CalculatedDigest", std::move(value)}}});
  }
  if (beside_) {
    properties_.checksums.emplace_back(name_of(beside_->algorithm()), beside_->finish());
  } else {
    properties_.checksums.emplace_back(name_of(algorithm), std::move(value));
  }
  return {};
}

Task<S3Result<std::string>> Body::read_all(std::size_t limit) {
  if (rules_.length.value_or(0) > limit) {
    co_return refuse(bad_size(S3Code::entity_too_large, *rules_.length, limit));
  }
  std::string text;
  for (;;) {
    const std::size_t have = text.size();
    text.resize(std::min(have + slice_size, limit + 1));
    const auto count = co_await read(std::as_writable_bytes(std::span(text).subspan(have)));
    if (!count) co_return refuse(*failure_);
    text.resize(have + *count);
    if (text.size() > limit) co_return refuse(bad_size(S3Code::entity_too_large, text.size(), limit));
    if (*count == 0 && !pauses()) break;
  }
  if (!finish()) co_return refuse(*failure_);
  co_return text;
}

}  // namespace kiseki::s3
