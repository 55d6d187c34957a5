#include "crypto/detail/lane_kernels.h"

#include "crypto/detail/md5_rounds.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace kiseki::crypto::detail {

const std::array<std::uint32_t, 64> md5_constants{
    0xd76aa478U, 0xe8c7b756U, 0x242070dbU, 0xc1bdceeeU, 0xf57c0fafU, 0x4787c62aU, 0xa8304613U, 0xfd469501U,
    0x698098d8U, 0x8b44f7afU, 0xffff5bb1U, 0x895cd7beU, 0x6b901122U, 0xfd987193U, 0xa679438eU, 0x49b40821U,
    0xf61e2562U, 0xc040b340U, 0x265e5a51U, 0xe9b6c7aaU, 0xd62f105dU, 0x02441453U, 0xd8a1e681U, 0xe7d3fbc8U,
    0x21e1cde6U, 0xc33707d6U, 0xf4d50d87U, 0x455a14edU, 0xa9e3e905U, 0xfcefa3f8U, 0x676f02d9U, 0x8d2a4c8aU,
    0xfffa3942U, 0x8771f681U, 0x6d9d6122U, 0xfde5380cU, 0xa4beea44U, 0x4bdecfa9U, 0xf6bb4b60U, 0xbebfbc70U,
    0x289b7ec6U, 0xeaa127faU, 0xd4ef3085U, 0x04881d05U, 0xd9d4d039U, 0xe6db99e5U, 0x1fa27cf8U, 0xc4ac5665U,
    0xf4292244U, 0x432aff97U, 0xab9423a7U, 0xfc93a039U, 0x655b59c3U, 0x8f0ccc92U, 0xffeff47dU, 0x85845dd1U,
    0x6fa87e4fU, 0xfe2ce6e0U, 0xa3014314U, 0x4e0811a1U, 0xf7537e82U, 0xbd3af235U, 0x2ad7d2bbU, 0xeb86d391U};

namespace {

#if defined(__x86_64__)
bool has_sha256_instructions() noexcept {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_SHA) != 0;
}
#endif

struct Usable {
  std::array<LaneKernels, 3> kernels;
  std::size_t count = 0;

  Usable() {
    kernels[count++] = {.name = "portable", .narrow = {1, md5_one}, .wide = {4, md5_four}};
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") != 0) {
      kernels[count++] = {.name = "AVX2", .narrow = {1, md5_one}, .wide = {8, md5_eight_avx2}};
    }
    if (__builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512bw") != 0) {
      LaneKernels& best = kernels[count++];
      // Three-operand logic and rotation shorten the chain: even one lane is faster than in plain registers.
      best = {.name = "AVX-512", .narrow = {8, md5_eight_avx512}, .wide = {16, md5_sixteen_avx512}};
      if (has_sha256_instructions()) {
        best.both = md5_and_sha256_avx512;
        best.sha256 = sha256_x86;
      }
    }
#endif
  }
};

}  // namespace

std::span<const LaneKernels> usable_kernels() {
  static const Usable usable;
  return std::span(usable.kernels).first(usable.count);
}

}  // namespace kiseki::crypto::detail
