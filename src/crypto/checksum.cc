#include "crypto/checksum.h"

#include <type_traits>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "crypto/detail/crc.h"

namespace kiseki::crypto {

namespace detail {

#if defined(__x86_64__)
namespace {

#define KISEKI_FOLDING __attribute__((target("pclmul,sse4.2")))

// Folding: a 128-bit piece H·x^64 + L, D bits ahead of another, is congruent to H·(x^(D+64) mod P) + L·(x^D
// mod P) and can be added to it. PCLMULQDQ on reflected operands gives the product times x, hence the
// exponents less one.
template <class C, unsigned distance>
KISEKI_FOLDING __m128i fold_factors() noexcept {
  constexpr unsigned shift = 64 - C::width;
  constexpr std::uint64_t high = static_cast<std::uint64_t>(C::power_of_x(distance + 63)) << shift;
  constexpr std::uint64_t low = static_cast<std::uint64_t>(C::power_of_x(distance - 1)) << shift;
  return _mm_set_epi64x(static_cast<long long>(low), static_cast<long long>(high));
}

template <class C, unsigned distance>
KISEKI_FOLDING __m128i fold(__m128i piece) noexcept {
  const __m128i factors = fold_factors<C, distance>();
  return _mm_xor_si128(_mm_clmulepi64_si128(piece, factors, 0x00),
                       _mm_clmulepi64_si128(piece, factors, 0x11));
}

KISEKI_FOLDING __m128i load(const std::byte* bytes) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
}

/// The bytes too few to fold, and the last folded piece.
template <class C>
KISEKI_FOLDING typename C::Word step_bytes(typename C::Word state, View bytes) noexcept {
  if constexpr (std::is_same_v<C, Crc32c>) {
    std::uint64_t wide = state;
    for (; bytes.size() >= 8; bytes = bytes.subspan(8)) wide = _mm_crc32_u64(wide, load_little(bytes.data()));
    state = static_cast<std::uint32_t>(wide);
    for (const std::byte byte : bytes) state = _mm_crc32_u8(state, static_cast<unsigned char>(byte));
    return state;
  } else {
    return crc_portable<C>(state, bytes);
  }
}

/// Folds four pieces abreast, so that the multiplier is kept busy, down to one; moves `bytes` on. At least 64
/// bytes.
template <class C>
KISEKI_FOLDING __m128i fold_wide(__m128i state, View& bytes) noexcept {
  __m128i piece[4] = {_mm_xor_si128(state, load(bytes.data())), load(bytes.data() + 16),
                      load(bytes.data() + 32), load(bytes.data() + 48)};
  for (bytes = bytes.subspan(64); bytes.size() >= 64; bytes = bytes.subspan(64)) {
    for (std::size_t i = 0; i < 4; ++i) {
      piece[i] = _mm_xor_si128(fold<C, 512>(piece[i]), load(bytes.data() + 16 * i));
    }
  }
  for (unsigned i = 1; i < 4; ++i) piece[i] = _mm_xor_si128(fold<C, 128>(piece[i - 1]), piece[i]);
  return piece[3];
}

#define KISEKI_FOLDING_512 __attribute__((target("avx512f,avx512dq,vpclmulqdq,pclmul,sse4.2")))

/// Four pieces in a register, each `distance` bits ahead of where it is added to `next`.
template <class C, unsigned distance>
KISEKI_FOLDING_512 __m512i fold_four(__m512i pieces, __m512i next) noexcept {
  const __m512i factors = _mm512_broadcast_i32x4(fold_factors<C, distance>());
  return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(pieces, factors, 0x00),
                                   _mm512_clmulepi64_epi128(pieces, factors, 0x11), next, 0x96);
}

/// As `fold_wide`, sixteen pieces abreast. At least 256 bytes.
template <class C>
KISEKI_FOLDING_512 __m128i fold_widest(__m128i state, View& bytes) noexcept {
  const auto next = [&bytes](std::size_t i)
                        KISEKI_FOLDING_512 { return _mm512_loadu_si512(bytes.data() + 64 * i); };
  __m512i pieces[4] = {_mm512_xor_si512(_mm512_zextsi128_si512(state), next(0)), next(1), next(2), next(3)};
  for (bytes = bytes.subspan(256); bytes.size() >= 256; bytes = bytes.subspan(256)) {
    for (std::size_t i = 0; i < 4; ++i) pieces[i] = fold_four<C, 2048>(pieces[i], next(i));
  }
  for (unsigned i = 1; i < 4; ++i) pieces[i] = fold_four<C, 512>(pieces[i - 1], pieces[i]);
  __m128i piece = _mm512_extracti32x4_epi32(pieces[3], 0);
  piece = _mm_xor_si128(fold<C, 128>(piece), _mm512_extracti32x4_epi32(pieces[3], 1));
  piece = _mm_xor_si128(fold<C, 128>(piece), _mm512_extracti32x4_epi32(pieces[3], 2));
  return _mm_xor_si128(fold<C, 128>(piece), _mm512_extracti32x4_epi32(pieces[3], 3));
}

bool can_fold_widest() noexcept {
  static const bool able =
      __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("vpclmulqdq") != 0;
  return able;
}

template <class C>
KISEKI_FOLDING typename C::Word crc_folding(typename C::Word state, View bytes) noexcept {
  if (bytes.size() < 32) return step_bytes<C>(state, bytes);
  __m128i piece = _mm_set_epi64x(0, static_cast<long long>(static_cast<std::uint64_t>(state)));
  if (bytes.size() >= 256 && can_fold_widest()) {
    piece = fold_widest<C>(piece, bytes);
  } else if (bytes.size() >= 64) {
    piece = fold_wide<C>(piece, bytes);
  } else {
    piece = _mm_xor_si128(piece, load(bytes.data()));
    bytes = bytes.subspan(16);
  }
  for (; bytes.size() >= 16; bytes = bytes.subspan(16)) {
    piece = _mm_xor_si128(fold<C, 128>(piece), load(bytes.data()));
  }
  std::array<std::byte, 16> last;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(last.data()), piece);
  return step_bytes<C>(step_bytes<C>(0, last), bytes);
}

#undef KISEKI_FOLDING_512
#undef KISEKI_FOLDING

bool can_fold() noexcept {
  static const bool able = __builtin_cpu_supports("pclmul") != 0 && __builtin_cpu_supports("sse4.2") != 0;
  return able;
}

}  // namespace
#endif

template <class C>
typename C::Word crc_fastest(typename C::Word state, View bytes) noexcept {
#if defined(__x86_64__)
  if (can_fold()) return crc_folding<C>(state, bytes);
#endif
  return crc_portable<C>(state, bytes);
}

template Crc32c::Word crc_fastest<Crc32c>(Crc32c::Word, View) noexcept;
template Crc32::Word crc_fastest<Crc32>(Crc32::Word, View) noexcept;
template Crc64Nvme::Word crc_fastest<Crc64Nvme>(Crc64Nvme::Word, View) noexcept;

}  // namespace detail

std::uint32_t crc32c(View bytes, std::uint32_t seed) noexcept {
  return ~detail::crc_fastest<detail::Crc32c>(~seed, bytes);
}

std::uint32_t crc32(View bytes, std::uint32_t seed) noexcept {
  return ~detail::crc_fastest<detail::Crc32>(~seed, bytes);
}

std::uint64_t crc64nvme(View bytes, std::uint64_t seed) noexcept {
  return ~detail::crc_fastest<detail::Crc64Nvme>(~seed, bytes);
}

}  // namespace kiseki::crypto
