#pragma once

#include <cstdint>

#include "base/buffer.h"

// Checksums against accidents, never against an adversary. Each continues from `seed`, the value over what
// came before (0 at the start), so pieces can be fed in turn.

namespace kiseki::crypto {

/// Castagnoli (RFC 3720 B.4): disk formats and `x-amz-checksum-crc32c`.
std::uint32_t crc32c(View bytes, std::uint32_t seed = 0) noexcept;
/// IEEE 802.3: `x-amz-checksum-crc32`.
std::uint32_t crc32(View bytes, std::uint32_t seed = 0) noexcept;
/// CRC-64/NVME: `x-amz-checksum-crc64nvme`.
std::uint64_t crc64nvme(View bytes, std::uint64_t seed = 0) noexcept;

}  // namespace kiseki::crypto
