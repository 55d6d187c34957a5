#include "base/logging.h"

#include <atomic>
#include <chrono>
#include <ctime>
#include <unistd.h>

namespace kiseki::log {

namespace {

std::atomic<Level> level_min{Level::info};

std::string_view name_of(Level level) {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warning:
      return "warning";
    case Level::error:
      return "error";
  }
  return "?";
}

}  // namespace

void set_level(Level level) noexcept { level_min.store(level, std::memory_order_relaxed); }
bool enabled(Level level) noexcept { return level >= level_min.load(std::memory_order_relaxed); }

void write(Level level, std::string_view component, std::string_view words) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  char time[32];
  std::strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &parts);
  // One write call a line, so that lines of several threads never mix.
  const std::string line =
      fmt::format("{}.{:03}Z {} {}: {}\n", time, now.tv_nsec / 1'000'000, name_of(level), component, words);
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace kiseki::log
