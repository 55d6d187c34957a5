#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace kiseki::fs {

/// What a checksum of a multipart object is taken of: of all bytes, or of the checksums of its parts.
enum class ChecksumType : std::uint8_t { full_object = 1, composite = 2 };

/// What a writer says of an object besides its bytes. Opaque here; sealed with the entry. At most 8 KiB in
/// all.
struct Properties {
  using Pairs = std::vector<std::pair<std::string, std::string>>;

  std::string etag{};  ///< Without quotes: hex MD5, or hex-N of a multipart object.
  Pairs headers{};     ///< Lower-case name, value: content-type and the like.
  Pairs metadata{};    ///< User metadata: lower-case name, value.
  Pairs checksums{};   ///< "crc32c" and the like, base64 value; of an upload the algorithm alone.
  ChecksumType checksum_type = ChecksumType::full_object;  ///< Of `checksums`.
  Pairs tags{};                                            ///< Key, value.
  Pairs grants{};                                          ///< Grantee, permission.
};

/// Consecutive parts of one size.
struct PartRun {
  std::uint32_t count = 0;
  Bytes size = 0;
  friend bool operator==(const PartRun&, const PartRun&) = default;
};

struct Attributes {
  Bytes size = 0;
  std::uint64_t modified_ms = 0;
  Properties properties{};
  /// Of an object that a multipart upload made, in order; empty of another one, and where there are too many.
  std::vector<PartRun> parts{};
};

}  // namespace kiseki::fs
