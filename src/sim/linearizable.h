#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace kiseki::sim {

/// One call on a register, as its caller saw it. Values are numbers; 0 is what the register holds at first.
struct Call {
  enum class Type : std::uint8_t {
    read,          ///< It held `value`.
    write,         ///< It holds `value` afterwards.
    swap,          ///< It held `expected`, and holds `value` afterwards.
    swap_refused,  ///< It did not hold `expected`.
  };
  Type type = Type::read;
  std::string key{};
  std::uint64_t value = 0;
  std::uint64_t expected = 0;
  BootTime called{};
  /// Nothing: no answer came, so the call may have had its effect at any time since, or may never have it.
  std::optional<BootTime> returned{};
};

/// Why there is no order of the calls that explains every answer, with each call between its beginning and
/// its end; empty when there is one. Times are of one clock that sees all. The search is that of Wing and
/// Gong with the memory of Lowe ("Testing for linearizability", 2017), key by key.
/// After `choices_max` choices for one key it gives up and says "undecided": that proves nothing either way,
/// and a test that hears it must be changed. Calls without an end of which nothing was ever seen cost none.
std::string linearizability_violation(const std::vector<Call>& calls, std::size_t choices_max = 300'000);

}  // namespace kiseki::sim
