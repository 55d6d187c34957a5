#pragma once

#include <atomic>
#include <limits>

#include "base/clock.h"
#include "base/ids.h"

namespace kiseki::shard::detail {

/// How far apart wall clocks may be before a node must not give stamps any more (rule 1.7).
inline constexpr Duration skew_max = std::chrono::milliseconds(500);

/// The time that the shards of one node put into stamps: the boot clock, set by the wall clock whenever that
/// agrees with a majority, so that no jump of it gets into a stamp. And how far stamps have come, so that
/// those that others show are told from forged ones, even when clocks were put back (rule 1.7). Used from
/// every core.
class StampClock {
 public:
  /// It was `wall` at `now`, by a clock that is right.
  void set(WallTime wall, BootTime now) noexcept;
  /// Zero until the clock is set: stamps only count on.
  Stamp at(BootTime now) const noexcept;

  /// A shard here has come so far.
  void pass(Stamp stamp) noexcept { raise(newest_, stamp); }
  Stamp newest() const noexcept { return Stamp(newest_.load(std::memory_order_relaxed)); }
  /// A shard of another node had come so far.
  void hear(Stamp stamp) noexcept { raise(heard_, stamp); }
  /// No shard whose clock is right can have given it by now.
  bool is_beyond(Stamp shown, BootTime now) const noexcept;

 private:
  static void raise(std::atomic<std::uint64_t>& known, Stamp stamp) noexcept;

  static constexpr std::int64_t unset = std::numeric_limits<std::int64_t>::min();
  std::atomic<std::int64_t> offset_ = unset;  // nanoseconds from boot to wall time
  std::atomic<std::uint64_t> newest_ = 0;
  std::atomic<std::uint64_t> heard_ = 0;
};

}  // namespace kiseki::shard::detail
