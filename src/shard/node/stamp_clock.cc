#include "shard/node/stamp_clock.h"

#include <algorithm>

#include "shard/proposal.h"

namespace kiseki::shard::detail {

namespace {

constexpr unsigned counter_bits = 16;
/// What a shard that is ahead of the clocks counts on until it is heard of again: more than it commits. It is
/// 16 ms, so that stamps that are forged with it never get away from the clocks, which go on by a second.
constexpr std::uint64_t counted_unheard = std::uint64_t{1} << 20;

}  // namespace

void StampClock::set(WallTime wall, BootTime now) noexcept {
  offset_ = (wall.time_since_epoch() - now.time_since_epoch()).count();
}

Stamp StampClock::at(BootTime now) const noexcept {
  const std::int64_t offset = offset_;
  if (offset == unset) return {};
  const auto since_epoch = now.time_since_epoch() + Duration(offset);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count();
  constexpr std::int64_t ms_end = stamp_end.value() >> counter_bits;
  return Stamp(static_cast<std::uint64_t>(std::clamp<std::int64_t>(ms, 0, ms_end)) << counter_bits);
}

void StampClock::raise(std::atomic<std::uint64_t>& known, Stamp stamp) noexcept {
  auto before = known.load(std::memory_order_relaxed);
  while (before < stamp.value() && !known.compare_exchange_weak(before, stamp.value())) {
  }
}

bool StampClock::is_beyond(Stamp shown, BootTime now) const noexcept {
  const Stamp others(heard_.load(std::memory_order_relaxed) + counted_unheard);
  return shown > std::max({newest(), others, at(now + skew_max)});
}

}  // namespace kiseki::shard::detail
