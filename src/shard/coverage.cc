#include "shard/coverage.h"

#include <algorithm>
#include <limits>

namespace kiseki::shard {

std::optional<Slot> Coverage::missing() const {
  auto ranges = ranges_;
  std::ranges::sort(ranges, {}, &SlotRange::first);
  std::uint32_t next = 0;
  for (const auto& range : ranges) {
    if (range.first > next) break;
    next = std::max<std::uint32_t>(next, range.last + 1U);
  }
  if (next > std::numeric_limits<Slot>::max()) return std::nullopt;
  return static_cast<Slot>(next);
}

}  // namespace kiseki::shard
