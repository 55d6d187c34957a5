#pragma once

#include <cstdint>
#include <fmt/format.h>
#include <string_view>

namespace kiseki::log {

enum class Level : std::uint8_t { debug, info, warning, error };

/// Lines below this level are dropped. Process-wide; set once at start.
void set_level(Level level) noexcept;
bool enabled(Level level) noexcept;
/// One line on standard error: time, level, component, words. Safe from any thread.
void write(Level level, std::string_view component, std::string_view words);

template <class... Args>
void info(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::info)) write(Level::info, component, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void debug(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::debug)) write(Level::debug, component, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warning, component, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  write(Level::error, component, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace kiseki::log
