#include "sim/simulated_clock.h"

#include <boost/asio/co_spawn.hpp>

namespace kiseki::sim {

namespace {

// 2026-01-01T00:00:00Z: the wall clock of every simulation starts here.
constexpr std::chrono::seconds wall_start{1'767'225'600};

}  // namespace

bool SimulatedLoop::step() {
  context_.restart();
  if (context_.poll_one() > 0) return true;
  if (timers_.empty()) return false;
  auto next = timers_.extract(timers_.begin());
  now_ = std::max(now_, next.key().first);
  timer_places_.erase(next.key().second);
  next.mapped().action();
  return true;
}

void SimulatedLoop::run() {
  while (step()) {
  }
}

bool SimulatedLoop::run_until(const std::function<bool()>& done, Duration limit) {
  const BootTime deadline = now_ + limit;
  while (!done()) {
    if (now_ > deadline || !step()) return false;
  }
  return true;
}

void SimulatedLoop::run_for(Duration duration) {
  const BootTime deadline = now_ + duration;
  while (true) {
    context_.restart();
    if (context_.poll_one() > 0) continue;
    if (timers_.empty() || timers_.begin()->first.first > deadline) break;
    step();
  }
  now_ = deadline;
}

void SimulatedLoop::spawn(Task<> task) {
  asio::co_spawn(context_, std::move(task),
                 [](const std::exception_ptr& thrown) { KISEKI_ASSERT(thrown == nullptr); });
}

SimulatedClock::~SimulatedClock() {
  std::erase_if(loop_.timers_, [this](const auto& timer) {
    if (timer.second.owner != this) return false;
    loop_.timer_places_.erase(timer.first.second);
    return true;
  });
}

WallTime SimulatedClock::wall() const {
  return WallTime(wall_start + loop_.now().time_since_epoch() + wall_offset_);
}

BootTime SimulatedClock::now() const {
  return own_then_ + (loop_.now() - loop_then_) * (1000 + drift_) / 1000;
}

void SimulatedClock::set_drift(std::int32_t thousandths) {
  KISEKI_ASSERT(thousandths > -1000);
  own_then_ = now();
  loop_then_ = loop_.now();
  drift_ = thousandths;
}

Clock::TimerId SimulatedClock::at(BootTime own, std::move_only_function<void()> action) {
  const TimerId id = loop_.next_timer_++;
  BootTime when = loop_then_ + (own - own_then_);
  if (drift_ != 0) {
    // Not before: rounded up.
    const Duration rate(1000 + drift_);
    when = loop_then_ + Duration(((own - own_then_) * 1000 + rate - Duration(1)) / rate);
  }
  loop_.timers_.emplace(std::pair(when, id), SimulatedLoop::Timer{this, std::move(action)});
  loop_.timer_places_.emplace(id, when);
  return id;
}

void SimulatedClock::cancel(TimerId timer) {
  const auto place = loop_.timer_places_.find(timer);
  if (place == loop_.timer_places_.end()) return;
  loop_.timers_.erase({place->second, timer});
  loop_.timer_places_.erase(place);
}

}  // namespace kiseki::sim
