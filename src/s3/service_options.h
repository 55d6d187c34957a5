#pragma once

#include <cstdint>
#include <string>

namespace kiseki::s3 {

/// Whether URLs that were presigned with Signature Version 2 are honoured.
enum class PresignedV2Policy : std::uint8_t { honoured, refused };

struct ServiceOptions {
  std::string region = "us-east-1";
  /// Buckets are also reached as BUCKET.domain; empty: by path alone.
  std::string domain = {};
  PresignedV2Policy presigned_v2 = PresignedV2Policy::honoured;
};

}  // namespace kiseki::s3
