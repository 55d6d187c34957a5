#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>

#include "base/ids.h"
#include "shard/detail/clock_watch.h"

namespace kiseki::shard::detail {

/// How far the shards of one node have come. A stamp that others show is near that or near the wall clock,
/// even when the clock was put back; or it is forged (rule 1.7). Used from every core.
class Horizon {
 public:
  /// A shard here has come so far.
  void pass(Stamp stamp) noexcept {
    auto known = newest_.load(std::memory_order_relaxed);
    while (known < stamp.value() && !newest_.compare_exchange_weak(known, stamp.value())) {
    }
  }
  /// No shard whose clock is right can have given it.
  bool is_beyond(Stamp shown, Stamp now) const noexcept {
    constexpr auto skew = std::chrono::duration_cast<std::chrono::milliseconds>(skew_max).count();
    const std::uint64_t near_now = now.value() + (static_cast<std::uint64_t>(skew) << 16);
    return shown.value() > std::max(newest_.load(std::memory_order_relaxed), near_now);
  }

 private:
  std::atomic<std::uint64_t> newest_ = 0;
};

}  // namespace kiseki::shard::detail
