#include "chunk/erasure_codes.h"

#include <algorithm>
#include <bit>
#include <gtest/gtest.h>

#include "base/rng.h"

namespace kiseki::chunk {
namespace {

/// GF(2^8) of the polynomial x^8 + x^4 + x^3 + x^2 + 1, bit by bit.
std::uint8_t times(std::uint8_t a, std::uint8_t b) {
  unsigned product = 0;
  for (unsigned shifted = a; b != 0; b = static_cast<std::uint8_t>(b >> 1), shifted <<= 1) {
    if ((shifted & 0x100) != 0) shifted ^= 0x11d;
    if ((b & 1) != 0) product ^= shifted;
  }
  return static_cast<std::uint8_t>(product);
}

std::uint8_t inverse(std::uint8_t a) {
  for (unsigned b = 1; b < 256; ++b) {
    if (times(a, static_cast<std::uint8_t>(b)) == 1) return static_cast<std::uint8_t>(b);
  }
  return 0;
}

/// A chunk of random bytes and its fragments, parity by the definition in docs/formats/fragment.md.
struct Model {
  Profile profile;
  std::vector<std::string> fragments;

  Model(Profile chosen, Bytes length, Bytes fragment, std::uint64_t seed) : profile(chosen) {
    SeededRng rng(seed);
    std::string chunk(length, '\0');
    rng.fill(std::as_writable_bytes(std::span(chunk)));
    for (std::size_t i = 0; i < profile.data; ++i) {
      const std::size_t from = std::min<std::size_t>(length, i * fragment);
      fragments.push_back(chunk.substr(from, fragment));
    }
    for (std::size_t i = profile.data; i < all(); ++i) fragments.push_back(parity(i));
  }

  std::size_t all() const { return profile.data + profile.parity; }

  std::string parity(std::size_t row) const {
    std::string out(fragments[0].size(), '\0');
    for (std::size_t j = 0; j < profile.data; ++j) {
      const std::uint8_t factor = inverse(static_cast<std::uint8_t>(row ^ j));
      for (std::size_t at = 0; at < fragments[j].size(); ++at) {
        const auto byte = static_cast<std::uint8_t>(fragments[j][at]);
        out[at] = static_cast<char>(out[at] ^ static_cast<char>(times(factor, byte)));
      }
    }
    return out;
  }

  /// Whether these k fragments give those others.
  bool gives(ErasureCodes& codes, std::uint32_t sources, std::uint32_t targets) const {
    std::vector<Source> from;
    std::vector<Target> to;
    std::vector<std::string> out(all());
    for (std::size_t i = 0; i < all(); ++i) {
      const auto index = static_cast<std::uint8_t>(i);
      if ((sources >> i & 1) != 0) from.push_back({index, as_view(fragments[i])});
      if ((targets >> i & 1) == 0) continue;
      out[i].resize(fragments[i].size() + 1, '#');  // the last byte is nobody's
      to.push_back({index, std::as_writable_bytes(std::span(out[i])).first(fragments[i].size())});
    }
    codes.compute(profile, from, to);
    for (const Target& target : to) {
      if (out[target.index] != fragments[target.index] + '#') return false;
    }
    return true;
  }
};

/// Every choice of k sources, each with every choice of targets.
void check_all(const Model& model) {
  ErasureCodes codes;
  const std::uint32_t all = (std::uint32_t{1} << model.all()) - 1;
  for (std::uint32_t sources = 0; sources <= all; ++sources) {
    if (std::popcount(sources) != model.profile.data) continue;
    const std::uint32_t others = all & ~sources;
    for (std::uint32_t targets = others; targets != 0; targets = (targets - 1) & others) {
      ASSERT_TRUE(model.gives(codes, sources, targets)) << sources << " " << targets;
    }
  }
}

TEST(ErasureCodes, of_4_and_2_give_every_loss_back) { check_all(Model({4, 2}, 1'200, 300, 1)); }

TEST(ErasureCodes, of_8_and_3_give_every_loss_back) { check_all(Model({8, 3}, 560, 70, 2)); }

TEST(ErasureCodes, of_short_and_empty_last_fragments_give_every_loss_back) {
  check_all(Model({4, 2}, 2 * 200 + 77, 200, 3));
  check_all(Model({4, 2}, 3 * 200 + 1, 200, 4));
}

TEST(ErasureCodes, of_one_data_fragment_are_no_copies_but_give_it_back) {
  check_all(Model({1, 4}, 100, 100, 5));
}

TEST(ErasureCodes, of_a_fragment_longer_than_the_zeros_kept_behind_short_ones) {
  const Model model({4, 2}, 2 * 200'000 + 1000, 200'000, 6);
  ErasureCodes codes;
  EXPECT_TRUE(model.gives(codes, 0b001111, 0b110000));
  EXPECT_TRUE(model.gives(codes, 0b111100, 0b000011));
  EXPECT_TRUE(model.gives(codes, 0b110011, 0b001100));
}

TEST(ErasureCodes, of_28_and_4_give_random_losses_back_with_a_bounded_number_of_tables) {
  const Model model({28, 4}, 28 * 100 - 30, 100, 7);
  ErasureCodes codes;
  SeededRng rng(8);
  for (int i = 0; i < 1000; ++i) {
    std::uint32_t lost = 0;
    while (std::popcount(lost) < 4) lost |= std::uint32_t{1} << rng.below(32);
    ASSERT_TRUE(model.gives(codes, ~lost, lost)) << lost;
    ASSERT_LE(codes.tables(), 256U);
  }
}

TEST(ErasureCodes, keep_the_tables_of_what_was_computed) {
  const Model model({4, 2}, 256, 64, 9);
  ErasureCodes codes;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(model.gives(codes, 0b001111, 0b110000));
  EXPECT_EQ(codes.tables(), 1U);
  EXPECT_TRUE(model.gives(codes, 0b111100, 0b000011));
  EXPECT_EQ(codes.tables(), 2U);
}

}  // namespace
}  // namespace kiseki::chunk
