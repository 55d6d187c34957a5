#include "bench/cores.h"

#include <array>
#include <ctime>
#include <fmt/format.h>
#include <future>
#include <vector>

#include <boost/asio/use_future.hpp>

#include "base/core.h"
#include "base/sync.h"

namespace kiseki::bench {

namespace {

constexpr int rounds = 20'000;

double process_cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

Task<int> answer(int value) { co_return value; }

Task<> by_co_spawn(Executor there) {
  for (int i = 0; i < rounds; ++i) co_await asio::co_spawn(there, answer(i), use_task);
}
Task<> by_on(Executor there) {
  for (int i = 0; i < rounds; ++i) co_await on(there, answer(i));
}
Task<> by_call(Executor there) {
  for (int i = 0; i < rounds; ++i) {
    co_await call_on(there, [i] { return i; });
  }
}

/// Two coroutines of one core that wake each other.
Task<> hand_over(Event& mine, Event& others) {
  for (int i = 0; i < rounds; ++i) {
    co_await mine.wait();
    mine.reset();
    others.set();
  }
}

template <class Make>
void row(const char* name, std::size_t callers, Make make) {
  const double cpu = process_cpu_seconds();
  const auto began = std::chrono::steady_clock::now();
  std::vector<std::future<void>> all;
  for (std::size_t i = 0; i < callers; ++i) all.push_back(make(i));
  for (auto& one : all) one.get();
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  const double count = static_cast<double>(rounds) * static_cast<double>(callers);
  fmt::print("{:<34} {:>3} callers: {:>7.2f} us of wall, {:>6.2f} us of CPU each\n", name, callers,
             wall * 1e6 / count, (process_cpu_seconds() - cpu) * 1e6 / count);
}

}  // namespace

void measure_cores() {
  std::array<Core, 2> cores;
  for (auto& core : cores) core.start();
  const auto from_first = [&](Task<> (*task)(Executor)) {
    return [&cores, task](std::size_t) {
      return asio::co_spawn(cores[0].executor(), task(cores[1].executor()), asio::use_future);
    };
  };
  for (const std::size_t callers : {std::size_t{1}, std::size_t{64}}) {
    row("to another core and back, co_spawn", callers, from_first(by_co_spawn));
    row("to another core and back, on", callers, from_first(by_on));
    row("to another core and back, call_on", callers, from_first(by_call));
  }
  std::array<Event, 2> events;
  events[0].set();
  row("a wake-up on the same core", 2, [&](std::size_t i) {
    return asio::co_spawn(cores[0].executor(), hand_over(events[i], events[1 - i]), asio::use_future);
  });
}

}  // namespace kiseki::bench
