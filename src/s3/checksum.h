#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "crypto/hash.h"
#include "fs/properties.h"

namespace kiseki::s3 {

/// The checksums of `x-amz-checksum-*`.
enum class ChecksumAlgorithm : std::uint8_t { crc32, crc32c, crc64nvme, sha1, sha256 };

inline constexpr ChecksumAlgorithm checksum_algorithms[] = {
    ChecksumAlgorithm::crc32, ChecksumAlgorithm::crc32c, ChecksumAlgorithm::crc64nvme,
    ChecksumAlgorithm::sha1, ChecksumAlgorithm::sha256};

/// "crc32c": as stored with an object, and behind "x-amz-checksum-" in a field name.
std::string_view name_of(ChecksumAlgorithm algorithm) noexcept;
/// "x-amz-checksum-crc32c".
std::string field_of(ChecksumAlgorithm algorithm);
/// "ChecksumCRC32C".
std::string_view element_of(ChecksumAlgorithm algorithm) noexcept;

/// "CRC32C".
std::string_view constant_of(ChecksumAlgorithm algorithm) noexcept;

/// Of "CRC32C" or "crc32c".
std::optional<ChecksumAlgorithm> algorithm_of(std::string_view name) noexcept;
std::optional<ChecksumAlgorithm> algorithm_of_field(std::string_view field) noexcept;
std::optional<ChecksumAlgorithm> algorithm_of_element(std::string_view element) noexcept;

/// "FULL_OBJECT", "COMPOSITE".
std::string_view name_of(fs::ChecksumType type) noexcept;

/// One checksum over bytes that come in pieces.
class Checksum {
 public:
  explicit Checksum(ChecksumAlgorithm algorithm);

  void update(View bytes);
  /// The value as S3 writes it: base64 of its big-endian bytes. Once.
  std::string finish();
  ChecksumAlgorithm algorithm() const noexcept { return algorithm_; }

 private:
  ChecksumAlgorithm algorithm_;
  std::uint64_t crc_ = 0;
  std::optional<crypto::Hasher> hasher_;
};

/// Bytes of the value of a checksum.
std::size_t size_of(ChecksumAlgorithm algorithm) noexcept;

}  // namespace kiseki::s3
