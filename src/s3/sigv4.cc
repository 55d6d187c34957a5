#include "s3/sigv4.h"

#include <fmt/format.h>

#include "base/encoding.h"
#include "s3/time_format.h"

namespace kiseki::s3 {

namespace {

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view terminator = "aws4_request";
constexpr std::size_t signed_headers_max = 128;
constexpr std::int64_t expires_max = 604'800;  // a week

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> pieces;
  for (;;) {
    const std::size_t end = text.find(separator);
    pieces.emplace_back(text.substr(0, end));
    if (end == text.npos) return pieces;
    text.remove_prefix(end + 1);
  }
}

S3Code malformed(SignatureClaim::Form form) {
  return form == SignatureClaim::Form::header ? S3Code::authorization_header_malformed
                                              : S3Code::authorization_query_parameters_error;
}

/// ACCESS/date/region/s3/aws4_request. An access key may itself hold slashes.
S3Result<CredentialScope> parse_scope(std::string_view text, SignatureClaim::Form form) {
  std::vector<std::string> pieces = split(text, '/');
  if (pieces.size() < 5 || pieces[0].empty()) {
    return refuse(malformed(form),
                  "The Credential is malformed; expecting \"<access-key>/YYYYMMDD/REGION/s3/aws4_request\".");
  }
  const std::size_t tail = pieces.size() - 4;
  if (pieces[tail + 2] != "s3") {
    return refuse(malformed(form),
                  "The Credential is malformed; incorrect service. This endpoint belongs to \"s3\".");
  }
  if (pieces[tail + 3] != terminator) {
    return refuse(malformed(form),
                  "The Credential is malformed; incorrect terminal. This endpoint uses \"aws4_request\".");
  }
  CredentialScope scope{pieces[0], std::move(pieces[tail]), std::move(pieces[tail + 1])};
  for (std::size_t i = 1; i < tail; ++i) scope.access_key.append("/").append(pieces[i]);
  return scope;
}

S3Result<> take_signed_headers(SignatureClaim& claim, std::string_view list) {
  claim.signed_headers = split(list, ';');
  if (list.empty() || claim.signed_headers.size() > signed_headers_max) {
    return refuse(malformed(claim.form), "The list of signed headers is not valid.");
  }
  return {};
}

S3Result<> take_time(SignatureClaim& claim, std::string_view compact) {
  const auto seconds = parse_compact_time(compact);
  if (!seconds) {
    return claim.form == SignatureClaim::Form::header
               ? refuse(S3Code::access_denied,
                        "AWS authentication requires a valid Date or x-amz-date header.")
               : refuse(malformed(claim.form),
                        "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\".");
  }
  claim.timestamp = compact;
  claim.time = *seconds;
  if (claim.timestamp.compare(0, 8, claim.scope.date) == 0 && claim.scope.date.size() == 8) return {};
  return refuse(malformed(claim.form),
                "The date in the credential scope does not match that of the request.");
}

S3Result<> take_header_fields(SignatureClaim& claim, std::string_view fields) {
  std::string_view credential;
  std::string_view headers;
  for (std::string_view rest = fields; !rest.empty();) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    const std::string_view one = trimmed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t equals = std::min(one.find('='), one.size());
    const std::string_view value = one.substr(std::min(equals + 1, one.size()));
    if (one.substr(0, equals) == "Credential") credential = value;
    if (one.substr(0, equals) == "SignedHeaders") headers = value;
    if (one.substr(0, equals) == "Signature") claim.signature = value;
  }
  if (credential.empty() || headers.empty() || claim.signature.empty()) {
    return refuse(S3Code::authorization_header_malformed,
                  "The authorization header requires Credential, SignedHeaders and Signature.");
  }
  auto scope = parse_scope(credential, claim.form);
  if (!scope) return refuse(std::move(scope).error());
  claim.scope = std::move(*scope);
  return take_signed_headers(claim, headers);
}

/// x-amz-date, else Date in either form.
std::string request_time(const HttpHead& head) {
  if (const auto field = head.find("x-amz-date")) return std::string(*field);
  const std::string_view date = head.get("date");
  const auto seconds = parse_http_date(date);
  return seconds ? compact_time(*seconds) : std::string(date);
}

S3Result<std::optional<SignatureClaim>> parse_header_claim(const HttpHead& head,
                                                           std::string_view authorization) {
  SignatureClaim claim;
  const std::size_t blank = authorization.find(' ');
  if (blank == authorization.npos) {
    return refuse(bad_argument("Authorization", authorization,
                               "Authorization header is invalid -- one and only one ' ' (space) required."));
  }
  if (authorization.substr(0, blank) != algorithm) {
    return refuse(bad_argument("Authorization", authorization,
                               "Unsupported Authorization Type. Please use AWS4-HMAC-SHA256."));
  }
  KISEKI_S3_TRY(take_header_fields(claim, authorization.substr(algorithm.size() + 1)));
  KISEKI_S3_TRY(take_time(claim, request_time(head)));
  if (const auto hash = head.find("x-amz-content-sha256")) {
    claim.payload_hash = *hash;
  } else if (head.chunked() || head.content_length().value_or(0) > 0) {
    return refuse(S3Code::invalid_request, "Missing required header for this request: x-amz-content-sha256.");
  } else {
    claim.payload_hash = empty_sha256;
  }
  return claim;
}

S3Result<std::optional<SignatureClaim>> parse_query_claim(const HttpHead& head, const Query& query) {
  SignatureClaim claim;
  claim.form = SignatureClaim::Form::query;
  for (const std::string_view name : {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires",
                                      "X-Amz-SignedHeaders", "X-Amz-Signature"}) {
    if (!query.has(name)) {
      return refuse(malformed(claim.form),
                    fmt::format("Query-string authentication requires the {} parameter.", name));
    }
  }
  if (query.get("X-Amz-Algorithm") != algorithm) {
    return refuse(malformed(claim.form), "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\".");
  }
  auto scope = parse_scope(query.get("X-Amz-Credential"), claim.form);
  if (!scope) return refuse(std::move(scope).error());
  claim.scope = std::move(*scope);
  KISEKI_S3_TRY(take_time(claim, query.get("X-Amz-Date")));
  KISEKI_S3_TRY(take_signed_headers(claim, query.get("X-Amz-SignedHeaders")));
  const auto expires = parse_decimal<decltype(claim.expires)>(query.get("X-Amz-Expires"));
  if (!expires || *expires < 0 || *expires > expires_max) {
    return refuse(malformed(claim.form),
                  "X-Amz-Expires must be a number of seconds, at most a week (604800).");
  }
  claim.expires = *expires;
  claim.signature = query.get("X-Amz-Signature");
  const std::string* hash = query.find("X-Amz-Content-Sha256");
  claim.payload_hash =
      hash != nullptr ? *hash : head.find("x-amz-content-sha256").value_or("UNSIGNED-PAYLOAD");
  return claim;
}

/// Trimmed, each run of blanks inside as one.
void append_folded(std::string& out, std::string_view value) {
  value = trimmed(value);
  bool blank = false;
  for (const char c : value) {
    const bool is_blank = c == ' ' || c == '\t';
    if (!is_blank) out.push_back(c);
    if (is_blank && !blank) out.push_back(' ');
    blank = is_blank;
  }
}

void append_headers(std::string& out, const HttpHead& head, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    out.append(name).append(":");
    bool first = true;
    for (const HttpField& field : head.fields()) {
      if (field.name != name) continue;
      if (!first) out.push_back(',');
      append_folded(out, field.value);
      first = false;
    }
    out.push_back('\n');
  }
}

std::string canonical_query(const Query& query, SignatureClaim::Form form) {
  std::vector<std::string> pairs;
  for (const QueryParameter& one : query.all()) {
    if (form == SignatureClaim::Form::query && one.name == "X-Amz-Signature") continue;
    pairs.push_back(uri_encode(one.name, Slash::encoded) + "=" + uri_encode(one.value, Slash::encoded));
  }
  // By name, then by value; '=' would sort a name after its own extensions.
  std::ranges::sort(pairs, {}, [](const std::string& pair) {
    const std::size_t equals = pair.find('=');
    return std::pair(std::string_view(pair).substr(0, equals), std::string_view(pair).substr(equals + 1));
  });
  std::string out;
  for (const std::string& pair : pairs) {
    if (!out.empty()) out.push_back('&');
    out += pair;
  }
  return out;
}

}  // namespace

SigningKey::SigningKey(std::string_view secret, std::string_view date, std::string_view region) {
  std::string start = "AWS4";
  start += secret;
  key_ = crypto::hmac_sha256(as_view(start), {as_view(date)});
  for (const std::string_view part : {region, std::string_view("s3"), terminator}) {
    key_ = crypto::hmac_sha256(key_, {as_view(part)});
  }
  crypto::wipe(std::as_writable_bytes(std::span(start)));
}

SigningKey::~SigningKey() { crypto::wipe(key_); }

std::string SigningKey::sign(std::string_view string_to_sign) const {
  return to_hex(crypto::hmac_sha256(key_, {as_view(string_to_sign)}));
}

std::string CredentialScope::to_string() const {
  return fmt::format("{}/{}/s3/{}", date, region, terminator);
}

S3Error unsupported_mechanism() {
  return {S3Code::invalid_request,
          "The authorization mechanism that you provided is not supported. Please use AWS4-HMAC-SHA256."};
}

S3Result<std::optional<SignatureClaim>> parse_claim(const HttpHead& head, const Query& query) {
  auto authorization = head.find("authorization");
  if (authorization && authorization->empty()) authorization.reset();
  const bool in_query =
      query.has("X-Amz-Algorithm") || query.has("X-Amz-Signature") || query.has("X-Amz-Credential");
  if (authorization && in_query) {
    return refuse(S3Code::invalid_argument, "Only one auth mechanism allowed; use the header or the query.");
  }
  if (authorization) return parse_header_claim(head, *authorization);
  if (in_query) return parse_query_claim(head, query);
  return std::optional<SignatureClaim>();
}

std::string canonical_request(const HttpHead& head, std::string_view path, const Query& query,
                              const SignatureClaim& claim) {
  std::string out;
  out.reserve(1024);
  out.append(head.method()).append("\n");
  out.append(path).append("\n");
  out.append(canonical_query(query, claim.form)).append("\n");
  append_headers(out, head, claim.signed_headers);
  out.push_back('\n');
  for (std::size_t i = 0; i < claim.signed_headers.size(); ++i) {
    if (i > 0) out.push_back(';');
    out += claim.signed_headers[i];
  }
  out.append("\n").append(claim.payload_hash);
  return out;
}

std::string string_to_sign(const SignatureClaim& claim, std::string_view canonical_request) {
  return fmt::format("{}\n{}\n{}\n{}", algorithm, claim.timestamp, claim.scope.to_string(),
                     to_hex(crypto::sha256(as_view(canonical_request))));
}

S3Result<PayloadForm> payload_form(std::string_view payload_hash) {
  if (payload_hash == "UNSIGNED-PAYLOAD") return PayloadForm::unsigned_payload;
  if (payload_hash == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD") return PayloadForm::stream_signed;
  if (payload_hash == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER") return PayloadForm::stream_signed_trailer;
  if (payload_hash == "STREAMING-UNSIGNED-PAYLOAD-TRAILER") return PayloadForm::stream_unsigned_trailer;
  const bool is_hex = std::ranges::all_of(payload_hash, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  });
  if (payload_hash.size() == 64 && is_hex) return PayloadForm::signed_hash;
  if (payload_hash.starts_with("STREAMING-")) return refuse(not_built("Header", "x-amz-content-sha256"));
  return refuse(bad_argument(
      "x-amz-content-sha256", payload_hash,
      "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "
      "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-UNSIGNED-PAYLOAD-TRAILER or a valid sha256 "
      "value."));
}

ChunkSigner::ChunkSigner(SigningKey key, const SignatureClaim& claim)
    : key_(key), timestamp_(claim.timestamp), scope_(claim.scope.to_string()), previous_(claim.signature) {}

std::string ChunkSigner::sign_chunk(const crypto::Digest256& data) {
  previous_ = key_.sign(fmt::format("{}-PAYLOAD\n{}\n{}\n{}\n{}\n{}", algorithm, timestamp_, scope_,
                                    previous_, empty_sha256, to_hex(data)));
  return previous_;
}

std::string ChunkSigner::sign_trailer(std::string_view trailers) {
  previous_ = key_.sign(fmt::format("{}-TRAILER\n{}\n{}\n{}\n{}", algorithm, timestamp_, scope_, previous_,
                                    to_hex(crypto::sha256(as_view(trailers)))));
  return previous_;
}

}  // namespace kiseki::s3
