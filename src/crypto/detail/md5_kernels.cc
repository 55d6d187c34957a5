#include "crypto/detail/md5_rounds.h"

namespace kiseki::crypto::detail {

void md5_one(std::span<const Lane> lanes, std::size_t blocks) { md5_blocks<1>(lanes, blocks); }

void md5_four(std::span<const Lane> lanes, std::size_t blocks) { md5_blocks<4>(lanes, blocks); }

#if defined(__x86_64__)

[[gnu::target("avx2")]] void md5_eight_avx2(std::span<const Lane> lanes, std::size_t blocks) {
  md5_blocks<8>(lanes, blocks);
}

#define KISEKI_AVX512 [[gnu::target("avx512f,avx512vl,avx512bw")]]

KISEKI_AVX512 void md5_eight_avx512(std::span<const Lane> lanes, std::size_t blocks) {
  md5_blocks<8>(lanes, blocks);
}

KISEKI_AVX512 void md5_sixteen_avx512(std::span<const Lane> lanes, std::size_t blocks) {
  md5_blocks<16>(lanes, blocks);
}

#undef KISEKI_AVX512

#endif

}  // namespace kiseki::crypto::detail
