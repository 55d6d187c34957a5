#pragma once

#include <cstdint>

#include "s3/multipart_checksum.h"
#include "s3/operation.h"

// What the operations on uploads and parts have in common.

namespace kiseki::s3 {

/// The partNumber parameter: 1 to 10,000.
S3Result<std::uint32_t> part_number(const Query& query);

/// What the parts of the call's upload come with. `no_such_upload`.
Task<S3Result<UploadChecksum>> find_upload_checksum(Call& call, const fs::Namespace& ns);

}  // namespace kiseki::s3
