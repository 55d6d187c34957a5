#pragma once

#include <compare>
#include <cstdint>

#include "base/ids.h"
#include "base/units.h"
#include "chunk/sealed_chunk.h"

namespace kiseki::chunk::detail {

/// Everything on a device lies at multiples of this.
inline constexpr Bytes unit = 4_KiB;
inline constexpr Bytes chunk_length_max = 8_MiB;

/// A place in the data file that can be opened as a region, from 0.
using Area = std::uint32_t;
/// One opening of one area. Rises; never used twice.
using RegionNumber = Id<struct RegionNumberTag, std::uint64_t>;

/// Where and when something was written: of one chunk the highest position is the newest.
struct Position {
  RegionNumber region;
  Bytes offset = 0;
  friend auto operator<=>(const Position&, const Position&) = default;
};

struct OpenRegion {
  RegionNumber number;
  Area area = 0;
  friend bool operator==(const OpenRegion&, const OpenRegion&) = default;
};

/// How the data file is divided (docs/formats/device.md).
struct Geometry {
  static constexpr Bytes head = 1_MiB;

  Bytes region = 0;
  Area areas = 0;  ///< At full capacity.

  Extent extent_of(Area area) const noexcept { return {head + area * region, region}; }
  Area area_of(Bytes offset) const noexcept { return static_cast<Area>((offset - head) / region); }
  Bytes file_size(Area count) const noexcept { return head + count * region; }
  /// Whole areas in a file of this size.
  Area areas_in(Bytes file_size) const noexcept {
    return file_size < head ? 0 : static_cast<Area>((file_size - head) / region);
  }
  Bytes capacity() const noexcept { return areas * region; }
};

}  // namespace kiseki::chunk::detail
