#pragma once

#include <cstdint>

#include "base/buffer.h"

namespace kiseki {

/// Random bytes. Domain code names no other source of randomness.
class Rng {
 public:
  virtual ~Rng() = default;
  virtual void fill(MutableView bytes) = 0;

  std::uint64_t next();
  /// Uniform in [0, bound); `bound` > 0.
  std::uint64_t below(std::uint64_t bound);
};

/// The kernel's generator: keys, nonces and tokens are drawn from it. Nonces and ids, which are short and no
/// secrets, come from a reserve of the thread; keys are never drawn ahead.
class SystemRng final : public Rng {
 public:
  static constexpr std::size_t drawn_ahead_max = 24;
  void fill(MutableView bytes) override;
};

/// The same bytes for the same seed: simulation only.
class SeededRng final : public Rng {
 public:
  explicit SeededRng(std::uint64_t seed) : state_(seed) {}
  void fill(MutableView bytes) override;

 private:
  std::uint64_t step();
  std::uint64_t state_;
};

}  // namespace kiseki
