#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "crypto/detail/lane_kernels.h"

// MD5 (RFC 1321) over vectors of which every element belongs to another stream. Written once for every width;
// what instructions it becomes is up to the function that it is inlined into, hence the forced inlining.

namespace kiseki::crypto::detail {

#define KISEKI_INLINE [[gnu::always_inline]] inline

template <unsigned lanes>
struct VectorOf {
  using Type [[gnu::vector_size(lanes * 4)]] = std::uint32_t;
};
template <>
struct VectorOf<1> {
  using Type = std::uint32_t;
};
template <unsigned lanes>
using Vector = typename VectorOf<lanes>::Type;

/// Defined in another unit so that no compiler sees them: as constants they would be added last, on the chain
/// of dependent operations that decides the speed of MD5, instead of beside it.
extern const std::array<std::uint32_t, 64> md5_constants;

template <unsigned i, class V>
KISEKI_INLINE void md5_step(V& a, const V& b, const V& c, const V& d, const V* words) {
  constexpr unsigned round = i / 16;
  constexpr unsigned factor[4] = {1, 5, 3, 7};
  constexpr unsigned offset[4] = {0, 1, 5, 0};
  constexpr unsigned shifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
  constexpr unsigned shift = shifts[round][i % 4];
  a += words[(factor[round] * i + offset[round]) % 16] + md5_constants[i];
  if constexpr (round == 0) a += d ^ (b & (c ^ d));
  if constexpr (round == 1) a += (~d & c) + (d & b);
  if constexpr (round == 2) a += b ^ c ^ d;
  if constexpr (round == 3) a += c ^ (b | ~d);
  a = (a << shift | a >> (32 - shift)) + b;
}

/// Steps `first` to `first` + 3.
template <unsigned first, class V>
KISEKI_INLINE void md5_four_steps(V* state, const V* words) {
  md5_step<first>(state[0], state[1], state[2], state[3], words);
  md5_step<first + 1>(state[3], state[0], state[1], state[2], words);
  md5_step<first + 2>(state[2], state[3], state[0], state[1], words);
  md5_step<first + 3>(state[1], state[2], state[3], state[0], words);
}

/// Swaps the halves of two rows that lie across the diagonal of each 2 × 2 of blocks of `size` elements.
template <unsigned size, class V, std::size_t... at>
KISEKI_INLINE void swap_across(V& upper, V& lower, std::index_sequence<at...>) {
  constexpr std::size_t lanes = sizeof...(at);
  const V a = upper, b = lower;
  upper = __builtin_shufflevector(a, b, ((at & size) == 0 ? at : lanes + at - size)...);
  lower = __builtin_shufflevector(a, b, ((at & size) == 0 ? at + size : lanes + at)...);
}

template <unsigned lanes, unsigned size, class V>
KISEKI_INLINE void transpose(V* rows) {
  if constexpr (size < lanes) {
    for (unsigned i = 0; i < lanes; ++i) {
      if ((i & size) == 0) swap_across<size>(rows[i], rows[i + size], std::make_index_sequence<lanes>());
    }
    transpose<lanes, 2 * size>(rows);
  }
}

/// A block of every lane, as sixteen words of every lane.
template <unsigned lanes>
KISEKI_INLINE void load_words(const std::byte* const* bytes, Vector<lanes>* words) {
  for (unsigned first = 0; first < 16; first += lanes) {
    for (unsigned lane = 0; lane < lanes; ++lane) {
      std::memcpy(&words[first + lane], bytes[lane] + 4 * first, 4 * lanes);
    }
    transpose<lanes, 1>(words + first);
  }
}

template <class V, std::size_t... four>
KISEKI_INLINE void md5_block(V* state, const V* words, std::index_sequence<four...>) {
  (md5_four_steps<4 * four>(state, words), ...);
}

/// Chaining states and places of `lanes` streams; those beyond `given` repeat the first and are forgotten.
template <unsigned lanes>
struct Md5Lanes {
  using V = Vector<lanes>;

  KISEKI_INLINE explicit Md5Lanes(std::span<const Lane> given) {
    std::uint32_t words[4][lanes];
    for (unsigned lane = 0; lane < lanes; ++lane) {
      const Lane& one = given[lane < given.size() ? lane : 0];
      for (unsigned word = 0; word < 4; ++word) words[word][lane] = one.md5[word];
      bytes[lane] = one.bytes;
    }
    for (unsigned word = 0; word < 4; ++word) std::memcpy(&state[word], words[word], sizeof(V));
  }

  KISEKI_INLINE void store(std::span<const Lane> given) const {
    for (unsigned word = 0; word < 4; ++word) {
      std::uint32_t words[lanes];
      std::memcpy(words, &state[word], sizeof words);
      for (unsigned lane = 0; lane < given.size(); ++lane) given[lane].md5[word] = words[lane];
    }
  }

  V state[4];
  const std::byte* bytes[lanes];
};

template <unsigned lanes>
KISEKI_INLINE void md5_blocks(std::span<const Lane> given, std::size_t blocks) {
  Md5Lanes<lanes> all(given);
  for (; blocks > 0; --blocks) {
    Vector<lanes> words[16];
    load_words<lanes>(all.bytes, words);
    const Vector<lanes> before[4] = {all.state[0], all.state[1], all.state[2], all.state[3]};
    md5_block(all.state, words, std::make_index_sequence<16>());
    for (unsigned word = 0; word < 4; ++word) all.state[word] += before[word];
    for (unsigned lane = 0; lane < lanes; ++lane) all.bytes[lane] += hash_block_size;
  }
  all.store(given);
}

}  // namespace kiseki::crypto::detail
