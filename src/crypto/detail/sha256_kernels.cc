#include "crypto/detail/md5_rounds.h"

#if defined(__x86_64__)

#include <immintrin.h>

// SHA-256 with the instructions for it (FIPS 180-4 6.2.2; Intel's SHA extensions), alone and woven into MD5:
// both are chains that leave most of the processor idle, so together they take little longer than MD5 alone.
// The instructions know no wide registers, and slow down several hundred times while the upper half of one
// is in use; this unit is therefore compiled to stay at 128 bits.

namespace kiseki::crypto::detail {

namespace {

#define KISEKI_SHA [[gnu::target("sha,ssse3,sse4.1")]]

alignas(16) constexpr std::array<std::uint32_t, 64> sha256_constants{
    0x428a2f98U, 0x71374491U, 0xb5c0fbcfU, 0xe9b5dba5U, 0x3956c25bU, 0x59f111f1U, 0x923f82a4U, 0xab1c5ed5U,
    0xd807aa98U, 0x12835b01U, 0x243185beU, 0x550c7dc3U, 0x72be5d74U, 0x80deb1feU, 0x9bdc06a7U, 0xc19bf174U,
    0xe49b69c1U, 0xefbe4786U, 0x0fc19dc6U, 0x240ca1ccU, 0x2de92c6fU, 0x4a7484aaU, 0x5cb0a9dcU, 0x76f988daU,
    0x983e5152U, 0xa831c66dU, 0xb00327c8U, 0xbf597fc7U, 0xc6e00bf3U, 0xd5a79147U, 0x06ca6351U, 0x14292967U,
    0x27b70a85U, 0x2e1b2138U, 0x4d2c6dfcU, 0x53380d13U, 0x650a7354U, 0x766a0abbU, 0x81c2c92eU, 0x92722c85U,
    0xa2bfe8a1U, 0xa81a664bU, 0xc24b8b70U, 0xc76c51a3U, 0xd192e819U, 0xd6990624U, 0xf40e3585U, 0x106aa070U,
    0x19a4c116U, 0x1e376c08U, 0x2748774cU, 0x34b0bcb5U, 0x391c0cb3U, 0x4ed8aa4aU, 0x5b9cca4fU, 0x682e6ff3U,
    0x748f82eeU, 0x78a5636fU, 0x84c87814U, 0x8cc70208U, 0x90befffaU, 0xa4506cebU, 0xbef9a3f7U, 0xc67178f2U};

/// The state as the instructions want it, and four groups of four words of the message schedule.
struct Sha256 {
  __m128i abef, cdgh;
  __m128i words[4];
};

KISEKI_SHA KISEKI_INLINE __m128i load(const void* from) {
  return _mm_loadu_si128(static_cast<const __m128i*>(from));
}

KISEKI_SHA KISEKI_INLINE void open(Sha256& sha, const std::uint32_t* state) {
  const __m128i dcba = load(state), hgfe = load(state + 4);
  const __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);
  sha.abef = _mm_alignr_epi8(cdab, efgh, 8);
  sha.cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
}

KISEKI_SHA KISEKI_INLINE void close(const Sha256& sha, std::uint32_t* state) {
  const __m128i feba = _mm_shuffle_epi32(sha.abef, 0x1b), dchg = _mm_shuffle_epi32(sha.cdgh, 0xb1);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state), _mm_blend_epi16(feba, dchg, 0xf0));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

/// Rounds 4 · `four` to 4 · `four` + 3.
template <std::size_t four>
KISEKI_SHA KISEKI_INLINE void four_rounds(Sha256& sha, const std::byte* block) {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  __m128i& words = sha.words[four % 4];
  if constexpr (four < 4) {
    words = _mm_shuffle_epi8(load(block + 16 * four), big_endian);
  } else {
    const __m128i last = sha.words[(four + 3) % 4];
    const __m128i seven_back = _mm_alignr_epi8(last, sha.words[(four + 2) % 4], 4);
    const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(words, sha.words[(four + 1) % 4]), seven_back);
    words = _mm_sha256msg2_epu32(sum, last);
  }
  const __m128i keyed = _mm_add_epi32(words, load(&sha256_constants[4 * four]));
  sha.cdgh = _mm_sha256rnds2_epu32(sha.cdgh, sha.abef, keyed);
  sha.abef = _mm_sha256rnds2_epu32(sha.abef, sha.cdgh, _mm_shuffle_epi32(keyed, 0x0e));
}

KISEKI_SHA KISEKI_INLINE void add(Sha256& sha, const Sha256& before) {
  sha.abef = _mm_add_epi32(sha.abef, before.abef);
  sha.cdgh = _mm_add_epi32(sha.cdgh, before.cdgh);
}

template <std::size_t... four>
KISEKI_SHA KISEKI_INLINE void sha256_block(Sha256& sha, const std::byte* block,
                                           std::index_sequence<four...>) {
  (four_rounds<four>(sha, block), ...);
}

/// A sixteenth of a block: of MD5 in four elements, of SHA-256 in the first `lanes` of them.
template <std::size_t four, unsigned lanes>
KISEKI_SHA KISEKI_INLINE void four_of_both(Md5Lanes<4>& md5, const Vector<4>* words, Sha256 (&sha)[lanes]) {
  four_rounds<four>(sha[0], md5.bytes[0]);
  if constexpr (lanes == 2) four_rounds<four>(sha[1], md5.bytes[1]);
  md5_four_steps<4 * four>(md5.state, words);
  // No instruction: a point that neither chain passes before the other is there, lest the compiler sort them
  // apart again.
  for (Sha256& one : sha) asm("" : "+x"(one.abef), "+x"(one.cdgh), "+v"(md5.state[1]));
}

template <unsigned lanes, std::size_t... four>
KISEKI_SHA KISEKI_INLINE void weave(Md5Lanes<4>& md5, const Vector<4>* words, Sha256 (&sha)[lanes],
                                    std::index_sequence<four...>) {
  (four_of_both<four>(md5, words, sha), ...);
}

template <unsigned lanes>
KISEKI_SHA KISEKI_INLINE void md5_and_sha256(std::span<const Lane> given, std::size_t blocks) {
  Md5Lanes<4> md5(given);
  Sha256 sha[lanes];
  for (unsigned lane = 0; lane < lanes; ++lane) open(sha[lane], given[lane].sha256);
  for (; blocks > 0; --blocks) {
    Vector<4> words[16];
    load_words<4>(md5.bytes, words);
    const Vector<4> md5_before[4] = {md5.state[0], md5.state[1], md5.state[2], md5.state[3]};
    Sha256 sha_before[lanes];
    for (unsigned lane = 0; lane < lanes; ++lane) sha_before[lane] = sha[lane];
    weave(md5, words, sha, std::make_index_sequence<16>());
    for (unsigned word = 0; word < 4; ++word) md5.state[word] += md5_before[word];
    for (unsigned lane = 0; lane < lanes; ++lane) add(sha[lane], sha_before[lane]);
    for (unsigned lane = 0; lane < 4; ++lane) md5.bytes[lane] += hash_block_size;
  }
  md5.store(given);
  for (unsigned lane = 0; lane < lanes; ++lane) close(sha[lane], given[lane].sha256);
}

}  // namespace

KISEKI_SHA void sha256_x86(std::span<const Lane> lanes, std::size_t blocks) {
  Sha256 sha;
  open(sha, lanes[0].sha256);
  for (const std::byte* block = lanes[0].bytes; blocks > 0; --blocks, block += hash_block_size) {
    const Sha256 before = sha;
    sha256_block(sha, block, std::make_index_sequence<16>());
    add(sha, before);
  }
  close(sha, lanes[0].sha256);
}

[[gnu::target("sha,avx512f,avx512vl,avx512bw")]] void md5_and_sha256_avx512(std::span<const Lane> lanes,
                                                                            std::size_t blocks) {
  lanes.size() == 1 ? md5_and_sha256<1>(lanes, blocks) : md5_and_sha256<2>(lanes, blocks);
}

#undef KISEKI_SHA

}  // namespace kiseki::crypto::detail

#endif
