#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>

#include "base/buffer.h"

// Reflected cyclic redundancy checks: bit 0 of a byte is the highest power. Functions here work on the bare
// register; the inversions before and after are their caller's.

namespace kiseki::crypto::detail {

template <class Register, Register reflected_polynomial>
struct Crc {
  using Word = Register;
  static constexpr unsigned width = std::numeric_limits<Word>::digits;

  static constexpr Word times_x(Word value) {
    return static_cast<Word>((value >> 1) ^ ((value & 1U) != 0 ? reflected_polynomial : Word{0}));
  }
  /// x^exponent modulo the polynomial.
  static constexpr Word power_of_x(unsigned exponent) {
    Word value = Word{1} << (width - 1);
    for (unsigned i = 0; i < exponent; ++i) value = times_x(value);
    return value;
  }

  using Tables = std::array<std::array<Word, 256>, 8>;
  /// `tables[n][b]`: what byte b contributes when n more bytes follow it.
  static constexpr Tables tables = [] {
    Tables made{};
    for (unsigned byte = 0; byte < 256; ++byte) {
      Word value = byte;
      for (unsigned bit = 0; bit < 8; ++bit) value = times_x(value);
      made[0][byte] = value;
    }
    for (unsigned n = 1; n < 8; ++n) {
      for (unsigned byte = 0; byte < 256; ++byte) {
        const Word before = made[n - 1][byte];
        made[n][byte] = static_cast<Word>((before >> 8) ^ made[0][before & 0xffU]);
      }
    }
    return made;
  }();
};

using Crc32c = Crc<std::uint32_t, 0x82f63b78U>;
using Crc32 = Crc<std::uint32_t, 0xedb88320U>;
using Crc64Nvme = Crc<std::uint64_t, 0x9a6c9329ac4bc9b5U>;

inline std::uint64_t load_little(const std::byte* bytes) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return std::endian::native == std::endian::little ? word : std::byteswap(word);
}

/// On any machine, eight bytes a step.
template <class C>
typename C::Word crc_portable(typename C::Word state, View bytes) noexcept {
  while (bytes.size() >= 8) {
    const std::uint64_t mixed = load_little(bytes.data()) ^ state;
    state = 0;
    for (unsigned i = 0; i < 8; ++i) state ^= C::tables[7 - i][(mixed >> (8 * i)) & 0xffU];
    bytes = bytes.subspan(8);
  }
  for (const std::byte byte : bytes) {
    state = static_cast<typename C::Word>((state >> 8) ^
                                          C::tables[0][(state ^ static_cast<unsigned>(byte)) & 0xffU]);
  }
  return state;
}

/// By carry-less multiplication where the machine has it, else `crc_portable`.
template <class C>
typename C::Word crc_fastest(typename C::Word state, View bytes) noexcept;

extern template Crc32c::Word crc_fastest<Crc32c>(Crc32c::Word, View) noexcept;
extern template Crc32::Word crc_fastest<Crc32>(Crc32::Word, View) noexcept;
extern template Crc64Nvme::Word crc_fastest<Crc64Nvme>(Crc64Nvme::Word, View) noexcept;

}  // namespace kiseki::crypto::detail
