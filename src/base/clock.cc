#include "base/clock.h"

#include <ctime>
#include <map>

#include <boost/asio/steady_timer.hpp>

#include "base/sync.h"

namespace kiseki {

namespace {

Duration read_clock(clockid_t id) {
  timespec time{};
  clock_gettime(id, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

Task<> Clock::sleep(Duration duration) {
  Event done;
  at(now() + duration, [&done] { done.set(); });
  co_await done.wait();
}

/// One Asio timer stands for the earliest of all; shared between the clock and the timer's pending handler,
/// which may outlive it by one turn of the loop.
struct SystemClock::State {
  explicit State(asio::io_context& loop) : timer(loop) {}

  struct Entry {
    TimerId id;
    std::move_only_function<void()> action;
  };
  std::multimap<BootTime, Entry> entries;
  std::unordered_map<TimerId, std::multimap<BootTime, Entry>::iterator> by_id;
  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                             Executor>
      timer;
  TimerId next = 1;
  BootTime armed = BootTime::max();
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);

  static BootTime read() { return BootTime(read_clock(CLOCK_BOOTTIME)); }

  void arm() {
    if (entries.empty() || entries.begin()->first >= armed) return;
    armed = entries.begin()->first;
    timer.expires_after(std::max(armed - read(), Duration::zero()));
    timer.async_wait([this, live = alive](const boost::system::error_code& error) {
      if (error == asio::error::operation_aborted || !*live) return;
      fire();
    });
  }

  void fire() {
    armed = BootTime::max();
    const BootTime now = read();
    const auto live = alive;
    while (*live && !entries.empty() && entries.begin()->first <= now) {
      auto node = entries.extract(entries.begin());
      by_id.erase(node.mapped().id);
      node.mapped().action();
    }
    if (*live) arm();
  }
};

SystemClock::SystemClock(asio::io_context& loop) : state_(std::make_unique<State>(loop)) {}
SystemClock::~SystemClock() { *state_->alive = false; }

WallTime SystemClock::wall() const { return WallTime(read_clock(CLOCK_REALTIME)); }
BootTime SystemClock::now() const { return State::read(); }

Clock::TimerId SystemClock::at(BootTime when, std::move_only_function<void()> action) {
  const TimerId id = state_->next++;
  state_->by_id.emplace(id, state_->entries.emplace(when, State::Entry{id, std::move(action)}));
  state_->arm();
  return id;
}

void SystemClock::cancel(TimerId timer) {
  if (const auto found = state_->by_id.find(timer); found != state_->by_id.end()) {
    state_->entries.erase(found->second);
    state_->by_id.erase(found);
    if (state_->entries.empty()) {
      // A loop that waits for nothing else may end.
      state_->armed = BootTime::max();
      state_->timer.cancel();
    }
  }
}

}  // namespace kiseki
