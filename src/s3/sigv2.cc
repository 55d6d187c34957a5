#include "s3/sigv2.h"

#include <array>
#include <map>

#include "base/encoding.h"
#include "crypto/hash.h"
#include "crypto/secret.h"

namespace kiseki::s3 {

namespace {

constexpr std::string_view key_name = "AWSAccessKeyId";
constexpr std::string_view time_name = "Expires";
constexpr std::string_view signature_name = "Signature";
constexpr std::string_view amz_prefix = "x-amz-";

/// The parameters that are part of what is addressed, in byte order.
constexpr std::array<std::string_view, 35> signed_parameters = {"accelerate",
                                                                "acl",
                                                                "analytics",
                                                                "cors",
                                                                "delete",
                                                                "encryption",
                                                                "inventory",
                                                                "lifecycle",
                                                                "location",
                                                                "logging",
                                                                "metrics",
                                                                "notification",
                                                                "object-lock",
                                                                "partNumber",
                                                                "policy",
                                                                "publicAccessBlock",
                                                                "replication",
                                                                "requestPayment",
                                                                "response-cache-control",
                                                                "response-content-disposition",
                                                                "response-content-encoding",
                                                                "response-content-language",
                                                                "response-content-type",
                                                                "response-expires",
                                                                "restore",
                                                                "select",
                                                                "select-type",
                                                                "tagging",
                                                                "torrent",
                                                                "uploadId",
                                                                "uploads",
                                                                "versionId",
                                                                "versioning",
                                                                "versions",
                                                                "website"};

/// Of a field, or of a parameter of that name: a browser that follows a URL sends no fields of its own.
std::string_view field_or_parameter(const HttpHead& head, const Query& query, std::string_view name) {
  if (const auto field = head.find(name)) return *field;
  return query.get(name);
}

std::map<std::string, std::string> amz_fields(const HttpHead& head, const Query& query) {
  std::map<std::string, std::string> fields;
  const auto add = [&fields](std::string_view name, std::string_view value) {
    if (!name.starts_with(amz_prefix)) return;
    auto& all = fields[std::string(name)];
    if (!all.empty()) all += ',';
    all += value;
  };
  for (const HttpField& field : head.fields()) add(field.name, field.value);
  for (const QueryParameter& one : query.all()) {
    if (!head.find(one.name)) add(one.name, one.value);
  }
  return fields;
}

std::string canonical_resource(std::string_view bucket, std::string_view path, const Query& query) {
  std::string resource;
  if (!bucket.empty()) resource.append("/").append(bucket);
  resource += path;
  char separator = '?';
  for (const std::string_view name : signed_parameters) {
    const std::string* value = query.find(name);
    if (value == nullptr) continue;
    resource += separator;
    resource += name;
    if (!value->empty()) resource.append("=").append(*value);
    separator = '&';
  }
  return resource;
}

/// RFC 2104.
crypto::DigestSha1 hmac_sha1(std::string_view key, std::string_view text) {
  std::array<char, 64> block{};
  crypto::Hasher hasher(crypto::HashKind::sha1);
  if (key.size() > block.size()) {
    hasher.update(as_view(key));
    const auto digest = hasher.finish<20>();
    std::ranges::copy(as_text(digest), block.begin());
  } else {
    std::ranges::copy(key, block.begin());
  }
  const auto padded = [&block](char pad) {
    std::array<char, 64> all = block;
    for (char& c : all) c = static_cast<char>(c ^ pad);
    return all;
  };
  auto inner = padded(0x36);
  auto outer = padded(0x5c);
  hasher.update(as_view(std::string_view(inner.data(), inner.size())));
  hasher.update(as_view(text));
  const auto digest = hasher.finish<20>();
  hasher.update(as_view(std::string_view(outer.data(), outer.size())));
  hasher.update(digest);
  for (auto* secret : {&block, &inner, &outer}) crypto::wipe(std::as_writable_bytes(std::span(*secret)));
  return hasher.finish<20>();
}

}  // namespace

S3Result<std::optional<PresignedV2>> parse_presigned_v2(const Query& query) {
  const bool complete = query.has(key_name) && query.has(time_name) && query.has(signature_name);
  if (!complete) {
    if (!query.has(key_name) && !query.has(signature_name)) return std::optional<PresignedV2>();
    return refuse(
        S3Code::access_denied,
        "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters.");
  }
  PresignedV2 claim{std::string(query.get(key_name)), std::string(query.get(signature_name)), 0};
  // Some write the '+' of base64 as it is, where it stands for a blank.
  std::ranges::replace(claim.signature, ' ', '+');
  const auto expires = parse_decimal<decltype(claim.expires)>(query.get(time_name));
  if (!expires) return refuse(S3Code::access_denied, "Invalid date (should be seconds since epoch).");
  claim.expires = *expires;
  return claim;
}

std::string string_to_sign_v2(const HttpHead& head, std::string_view bucket, std::string_view path,
                              const Query& query) {
  std::string text(head.method());
  for (const std::string_view name : {"content-md5", "content-type"}) {
    text.append("\n").append(field_or_parameter(head, query, name));
  }
  text.append("\n").append(query.get(time_name)).append("\n");
  for (const auto& [name, value] : amz_fields(head, query))
    text.append(name).append(":").append(value).append("\n");
  return text + canonical_resource(bucket, path, query);
}

std::string sign_v2(std::string_view secret, std::string_view string_to_sign) {
  return base64_encode(hmac_sha1(secret, string_to_sign));
}

}  // namespace kiseki::s3
