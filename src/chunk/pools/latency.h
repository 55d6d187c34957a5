#pragma once

#include "base/clock.h"

namespace kiseki::chunk::detail {

/// Follows the 95th percentile of how long calls take, after which another is worth a try. No samples are
/// kept: the estimate goes up by 19 small steps for a call that took longer and down by one for every other.
class Latency {
 public:
  void took(Duration time) noexcept;
  Duration percentile_95() const noexcept { return estimate_; }

 private:
  static constexpr Duration least = std::chrono::milliseconds(2), most = std::chrono::seconds(1);

  Duration estimate_ = std::chrono::milliseconds(50);
};

}  // namespace kiseki::chunk::detail
