#pragma once

#include <functional>
#include <map>
#include <optional>
#include <unordered_map>

#include "base/assert.h"
#include "base/clock.h"
#include "base/task.h"

namespace kiseki::sim {

class SimulatedClock;

/// One loop on virtual time for everything a simulation runs: what is ready runs in order, and only when
/// nothing is does time jump to the next timer. So no test sleeps, and the same seed gives the same run.
class SimulatedLoop {
 public:
  SimulatedLoop() = default;
  SimulatedLoop(const SimulatedLoop&) = delete;
  SimulatedLoop& operator=(const SimulatedLoop&) = delete;

  asio::io_context& context() noexcept { return context_; }
  Executor executor() noexcept { return context_.get_executor(); }
  BootTime now() const noexcept { return now_; }

  /// One handler, or else the next timer. False when there is neither.
  bool step();
  /// Until nothing is ready and no timer is left.
  void run();
  /// False when everything went quiet, or `limit` of virtual time passed, before `done` held.
  bool run_until(const std::function<bool()>& done, Duration limit = std::chrono::hours(24));
  void run_for(Duration duration);

  /// Starts `task` and runs until it has ended; it must end.
  template <class T>
  T get(Task<T> task);
  /// Starts `task`, to be run by later steps.
  void spawn(Task<> task);

 private:
  friend class SimulatedClock;
  struct Timer {
    const SimulatedClock* owner;
    std::move_only_function<void()> action;
  };

  asio::io_context context_{1};
  BootTime now_{std::chrono::hours(1)};
  std::map<std::pair<BootTime, Clock::TimerId>, Timer> timers_;
  std::unordered_map<Clock::TimerId, BootTime> timer_places_;
  Clock::TimerId next_timer_ = 1;
};

/// The clock of one simulated node: virtual time, which may pass faster or slower for it, and a wall clock
/// that may be off by what the test says.
class SimulatedClock final : public Clock {
 public:
  /// The loop outlives the clock.
  explicit SimulatedClock(SimulatedLoop& loop, Duration wall_offset = {})
      : loop_(loop), wall_offset_(wall_offset), loop_then_(loop.now()), own_then_(loop.now()) {}
  /// Forgets its timers: the node is gone.
  ~SimulatedClock() override;

  WallTime wall() const override;
  BootTime now() const override;
  TimerId at(BootTime when, std::move_only_function<void()> action) override;
  void cancel(TimerId timer) override;

  void set_wall_offset(Duration offset) noexcept { wall_offset_ = offset; }
  /// From now on this clock gains so many thousandths, above -1000. Timers that stand already ring when they
  /// would have.
  void set_drift(std::int32_t thousandths);

 private:
  SimulatedLoop& loop_;
  Duration wall_offset_;
  std::int32_t drift_ = 0;
  BootTime loop_then_;  // when the drift changed last, by the loop and by this clock
  BootTime own_then_;
};

template <class T>
T SimulatedLoop::get(Task<T> task) {
  if constexpr (std::is_void_v<T>) {
    bool done = false;
    asio::co_spawn(context_, std::move(task), [&done](const std::exception_ptr& thrown) {
      KISEKI_ASSERT(thrown == nullptr);
      done = true;
    });
    KISEKI_ASSERT(run_until([&done] { return done; }));
  } else {
    std::optional<T> result;
    asio::co_spawn(context_, std::move(task), [&result](const std::exception_ptr& thrown, T value) {
      KISEKI_ASSERT(thrown == nullptr);
      result.emplace(std::move(value));
    });
    KISEKI_ASSERT(run_until([&result] { return result.has_value(); }));
    return std::move(*result);
  }
}

}  // namespace kiseki::sim
