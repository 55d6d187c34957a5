#include "chunk/pools/latency.h"

#include <algorithm>

namespace kiseki::chunk::detail {

void Latency::took(Duration time) noexcept {
  const Duration step = std::max(estimate_ / 200, Duration(1000));
  estimate_ = std::clamp<Duration>(time > estimate_ ? estimate_ + 19 * step : estimate_ - step, least, most);
}

}  // namespace kiseki::chunk::detail
