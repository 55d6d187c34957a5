#pragma once

namespace kiseki {

/// Prints where and what, and aborts. A bug ends the process: a wrong state is never written down.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace kiseki

/// Always on, in every build.
#define KISEKI_ASSERT(expression) \
  (static_cast<bool>(expression) ? void(0) : ::kiseki::assertion_failed(#expression, __FILE__, __LINE__))
