#pragma once

#include <optional>
#include <string>
#include <vector>

#include "s3/checksum.h"
#include "s3/error.h"
#include "s3/http_message.h"
#include "s3/xml_requests.h"

// Checksums of a whole that came in parts.

namespace kiseki::s3 {

/// A part as it is kept: its length and the checksum its sender gave.
struct PartChecksum {
  Bytes size = 0;
  std::optional<ChecksumAlgorithm> algorithm;
  std::string value;  ///< base64
};

/// The value over two texts in a row, from the values over each and the length of the second. CRCs alone.
std::uint64_t combine_crc(ChecksumAlgorithm algorithm, std::uint64_t first, std::uint64_t second,
                          Bytes second_length);

/// The checksum of the whole in base64: of all bytes, by combining CRCs. Nothing when a part has none, or it
/// is not a CRC.
std::optional<std::string> full_object_checksum(ChecksumAlgorithm algorithm,
                                                const std::vector<PartChecksum>& parts);
/// The checksum of the parts' checksums, "base64-N". Nothing when a part has none.
std::optional<std::string> composite_checksum(ChecksumAlgorithm algorithm,
                                              const std::vector<PartChecksum>& parts);

/// What CompleteMultipartUpload claims, against what is kept of the parts it lists: each part's checksum, the
/// whole's (x-amz-checksum-*, x-amz-checksum-type) and its size (x-amz-mp-object-size). Answers the checksums
/// of the whole, as an object keeps them.
S3Result<std::vector<std::pair<std::string, std::string>>> check_claims(
    const HttpHead& head, const CompleteRequest& request, const std::vector<PartChecksum>& kept);

/// Whether there is anything for `check_claims` to check.
bool has_claims(const HttpHead& head, const CompleteRequest& request);

}  // namespace kiseki::s3
