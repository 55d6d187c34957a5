#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "s3/error.h"
#include "s3/http_message.h"
#include "s3/uri.h"

// AWS Signature Version 2 in the query of a presigned URL, without I/O and without a clock: "Signing and
// authenticating REST requests (AWS signature version 2)" of the S3 user guide.

namespace kiseki::s3 {

/// What a URL says of its signature, before anything of it is believed.
struct PresignedV2 {
  std::string access_key;
  std::string signature;     ///< base64
  std::int64_t expires = 0;  ///< Unix seconds.
};

/// Nothing when the query has none of AWSAccessKeyId, Expires and Signature; `access_denied` when it has some
/// of them, or a time that is none.
S3Result<std::optional<PresignedV2>> parse_presigned_v2(const Query& query);

/// `bucket` is empty unless the host names it; `path` stands as it was sent, encoded.
std::string string_to_sign_v2(const HttpHead& head, std::string_view bucket, std::string_view path,
                              const Query& query);

/// base64 of the HMAC-SHA-1.
std::string sign_v2(std::string_view secret, std::string_view string_to_sign);

}  // namespace kiseki::s3
