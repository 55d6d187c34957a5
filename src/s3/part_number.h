#pragma once

#include <cstdint>

#include "s3/error.h"
#include "s3/uri.h"

namespace kiseki::s3 {

/// The partNumber parameter: 1 to 10,000.
S3Result<std::uint32_t> part_number(const Query& query);

}  // namespace kiseki::s3
