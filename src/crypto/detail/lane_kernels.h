#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace kiseki::crypto::detail {

inline constexpr std::size_t hash_block_size = 64;
inline constexpr std::size_t lanes_max = 16;

/// One stream in a call: its chaining states, words in the order of RFC 1321 and FIPS 180-4, and whole
/// blocks.
struct Lane {
  std::uint32_t* md5;
  std::uint32_t* sha256;  ///< Touched by the kernels that say so.
  const std::byte* bytes;
};

/// Takes `blocks` blocks of every lane into its state. At least one lane.
using LaneKernel = void (*)(std::span<const Lane> lanes, std::size_t blocks);

/// The kernels for one kind of processor.
struct LaneKernels {
  struct Width {
    std::size_t lanes;
    LaneKernel kernel;
  };
  static constexpr std::size_t both_lanes = 2;

  const char* name;
  Width narrow, wide;           ///< MD5 of up to so many lanes in the time of one.
  LaneKernel both = nullptr;    ///< MD5 and SHA-256 of up to `both_lanes`; null where that gains nothing.
  LaneKernel sha256 = nullptr;  ///< SHA-256 of one lane; there if `both` is.

  void md5(std::span<const Lane> lanes, std::size_t blocks) const {
    (lanes.size() <= narrow.lanes ? narrow : wide).kernel(lanes, blocks);
  }
};

/// Those this machine can run, the best last.
std::span<const LaneKernels> usable_kernels();

void md5_one(std::span<const Lane> lanes, std::size_t blocks);
void md5_four(std::span<const Lane> lanes, std::size_t blocks);
#if defined(__x86_64__)
void md5_eight_avx2(std::span<const Lane> lanes, std::size_t blocks);
void md5_eight_avx512(std::span<const Lane> lanes, std::size_t blocks);
void md5_sixteen_avx512(std::span<const Lane> lanes, std::size_t blocks);
void md5_and_sha256_avx512(std::span<const Lane> lanes, std::size_t blocks);
void sha256_x86(std::span<const Lane> lanes, std::size_t blocks);
#endif

}  // namespace kiseki::crypto::detail
