#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace kiseki {

void assertion_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "kiseki: bug: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace kiseki
