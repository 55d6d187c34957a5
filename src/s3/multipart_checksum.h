#pragma once

#include <optional>
#include <string>
#include <vector>

#include "s3/checksum.h"
#include "s3/error.h"
#include "s3/http_message.h"
#include "s3/xml_requests.h"

// Checksums of a whole that comes in parts.

namespace kiseki::s3 {

/// What the parts of an upload come with, and what the whole gets. An upload that names no algorithm gets
/// CRC64NVME, computed here.
struct UploadChecksum {
  ChecksumAlgorithm algorithm = ChecksumAlgorithm::crc64nvme;
  fs::ChecksumType type = fs::ChecksumType::full_object;
  bool named = false;  ///< By the client, when it made the upload.
};

/// From x-amz-checksum-algorithm and x-amz-checksum-type. `invalid_request` when they do not go together.
S3Result<UploadChecksum> requested_checksum(const HttpHead& head);

/// As it is kept with an upload, and back.
void keep(const UploadChecksum& checksum, fs::Properties& properties);
UploadChecksum kept_checksum(const fs::Properties& properties);

/// Whether a part may come with a checksum of `sent`. `invalid_request`: it is another algorithm; or it has
/// none and the whole's is made of those of the parts.
S3Result<> check_part_algorithm(const UploadChecksum& upload, std::optional<ChecksumAlgorithm> sent);

/// A part as it is kept: its length and its checksum.
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

/// As an object keeps it.
struct WholeChecksum {
  fs::Properties::Pairs checksums = {};
  fs::ChecksumType type = fs::ChecksumType::full_object;
};

/// The checksum of the whole, after what CompleteMultipartUpload claims was held against what is kept of the
/// parts it lists: each part's checksum, the whole's (x-amz-checksum-*), its type and its size
/// (x-amz-mp-object-size).
S3Result<WholeChecksum> checksum_of_whole(const HttpHead& head, const CompleteRequest& request,
                                          const UploadChecksum& upload,
                                          const std::vector<PartChecksum>& kept);

}  // namespace kiseki::s3
