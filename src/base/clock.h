#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "base/task.h"

namespace kiseki {

using Duration = std::chrono::nanoseconds;
/// Nanoseconds since the Unix epoch.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

struct BootClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;
};
/// Never jumps, counts suspension too (CLOCK_BOOTTIME).
using BootTime = BootClock::time_point;

/// Time as one core sees it. Domain code names no other source of time.
class Clock {
 public:
  using TimerId = std::uint64_t;

  virtual ~Clock() = default;
  virtual WallTime wall() const = 0;
  virtual BootTime now() const = 0;
  /// Calls `action` on this core at or after `when`, once.
  virtual TimerId at(BootTime when, std::move_only_function<void()> action) = 0;
  /// Forgets the timer; a no-op when it has run.
  virtual void cancel(TimerId timer) = 0;

  Task<> sleep(Duration duration);
};

/// The machine's clock on one core's loop.
class SystemClock final : public Clock {
 public:
  explicit SystemClock(asio::io_context& loop);
  ~SystemClock() override;

  WallTime wall() const override;
  BootTime now() const override;
  TimerId at(BootTime when, std::move_only_function<void()> action) override;
  void cancel(TimerId timer) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kiseki
