#include "base/rng.h"

#include <array>
#include <cstring>
#include <sys/random.h>

#include "base/assert.h"

namespace kiseki {

std::uint64_t Rng::next() {
  std::uint64_t value = 0;
  fill(std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

std::uint64_t Rng::below(std::uint64_t bound) {
  KISEKI_ASSERT(bound > 0);
  // Lemire's multiplication, with rejection: no bias.
  const std::uint64_t threshold = (0 - bound) % bound;
  while (true) {
    const auto product = static_cast<unsigned __int128>(next()) * bound;
    if (static_cast<std::uint64_t>(product) >= threshold) return static_cast<std::uint64_t>(product >> 64);
  }
}

namespace {

void draw(MutableView bytes) {
  while (!bytes.empty()) {
    const ssize_t count = getrandom(bytes.data(), bytes.size(), 0);
    if (count < 0) {
      KISEKI_ASSERT(errno == EINTR);
      continue;
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

/// Drawn ahead, for one thread. What was given out is overwritten.
struct Reserve {
  std::array<std::byte, 1024> bytes;
  std::size_t left = 0;

  void fill(MutableView into) {
    if (left < into.size()) {
      draw(bytes);
      left = bytes.size();
    }
    left -= into.size();
    std::memcpy(into.data(), bytes.data() + left, into.size());
    explicit_bzero(bytes.data() + left, into.size());
  }
};

}  // namespace

void SystemRng::fill(MutableView bytes) {
  thread_local Reserve reserve;
  if (bytes.size() > drawn_ahead_max) return draw(bytes);
  if (!bytes.empty()) reserve.fill(bytes);
}

// SplitMix64 (Steele, Lea, Flood 2014).
std::uint64_t SeededRng::step() {
  state_ += 0x9e3779b97f4a7c15U;
  std::uint64_t mixed = state_;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
  return mixed ^ (mixed >> 31);
}

void SeededRng::fill(MutableView bytes) {
  while (!bytes.empty()) {
    const std::uint64_t value = step();
    const std::size_t count = std::min(bytes.size(), sizeof value);
    std::memcpy(bytes.data(), &value, count);
    bytes = bytes.subspan(count);
  }
}

}  // namespace kiseki
