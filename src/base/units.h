#pragma once

#include <cstdint>

namespace kiseki {

/// A number of bytes.
using Bytes = std::uint64_t;

namespace literals {
consteval Bytes operator""_KiB(unsigned long long count) { return count << 10; }
consteval Bytes operator""_MiB(unsigned long long count) { return count << 20; }
consteval Bytes operator""_GiB(unsigned long long count) { return count << 30; }
}  // namespace literals

using namespace literals;

constexpr Bytes round_up(Bytes value, Bytes multiple) { return (value + multiple - 1) / multiple * multiple; }
constexpr Bytes round_down(Bytes value, Bytes multiple) { return value / multiple * multiple; }

}  // namespace kiseki
