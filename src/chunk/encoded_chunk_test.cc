#include "chunk/encoded_chunk.h"

#include <gtest/gtest.h>

#include "chunk/testing/device_world.h"

namespace kiseki::chunk {
namespace {

/// The fragments of a chunk, put together again.
std::string joined(const std::vector<Fragment>& fragments, std::size_t data) {
  std::string out;
  for (std::size_t i = 0; i < data; ++i) out += as_text(fragments[i].bytes);
  return out;
}

/// Lengths around every edge: of blocks, of rows, of what a code takes.
std::vector<Bytes> lengths_of(Profile profile) {
  const Bytes k = profile.data;
  return {k * 16_KiB,      k * 16_KiB + 1, k * 64_KiB, k * 64_KiB + 1,
          k * 128_KiB - 1, 513_KiB,        4_MiB,      4_MiB + 60_KiB};
}

TEST(EncodedChunk, has_its_bytes_in_order_and_a_checksum_for_every_piece) {
  ErasureCodes codes;
  for (const Profile profile : {Profile{2, 1}, Profile{4, 2}, Profile{8, 3}, Profile{28, 4}}) {
    for (const Bytes length : lengths_of(profile)) {
      const auto chunk = make_coded_chunk(1, profile, length);
      const ChunkFormat format = chunk->format;
      if (format.data == 1) continue;
      const auto fragments = encode(chunk, codes);
      ASSERT_EQ(fragments.size(), fragment_count(format));
      EXPECT_EQ(joined(fragments, format.data), as_text(chunk->ciphertext.view()));
      EXPECT_EQ(reference_to(*fragments[0].chunk), reference_to(*chunk));
      std::size_t checked = 0;
      for (const Fragment& fragment : fragments) {
        EXPECT_EQ(fragment.bytes.size(), fragment_length(format, length, fragment.index));
        const auto address = reinterpret_cast<std::uintptr_t>(fragment.bytes.data());
        EXPECT_TRUE(fragment.bytes.empty() || address % Buffer::alignment == 0);
        const std::size_t first = first_checksum(format, length, fragment.index);
        EXPECT_TRUE(fragment.bytes.empty() || first == checked);
        View rest = fragment.bytes;
        for (std::size_t at = first; !rest.empty(); ++at, ++checked) {
          const View piece = rest.first(std::min<Bytes>(rest.size(), block_size(format)));
          EXPECT_EQ(fragment.chunk->checksums.at(at), crypto::crc32c(piece));
          rest = rest.subspan(piece.size());
        }
      }
      EXPECT_EQ(checked, checksum_count(format, length)) << length;
    }
  }
}

TEST(EncodedChunk, comes_back_from_its_last_fragments) {
  ErasureCodes codes;
  for (const Bytes length : lengths_of({4, 2})) {
    const auto fragments = encode(make_coded_chunk(2, {4, 2}, length), codes);
    if (fragments.size() != 6) continue;
    std::vector<Source> sources;
    for (std::uint8_t i = 2; i < 6; ++i) sources.push_back({i, fragments[i].bytes});
    Buffer first(fragments[0].bytes.size());
    Buffer second(fragments[1].bytes.size());
    codes.compute({4, 2}, sources, std::vector<Target>{{0, first.span()}, {1, second.span()}});
    EXPECT_TRUE(equal(first.view(), fragments[0].bytes));
    EXPECT_TRUE(equal(second.view(), fragments[1].bytes));
  }
}

TEST(EncodedChunk, pays_little_more_parity_than_its_profile_says) {
  for (Bytes length = 128_KiB; length <= 8_MiB; length += 37'117) {
    const ChunkFormat format = format_for({8, 3}, length);
    Bytes all = 0;
    for (std::size_t i = 0; i < fragment_count(format); ++i) {
      all += fragment_length(format, length, static_cast<std::uint8_t>(i));
    }
    const double least = static_cast<double>(length) * 11 / 8;
    EXPECT_LE(static_cast<double>(all), least * 1.09 + 3 * 4096) << length;
  }
}

TEST(EncodedChunk, of_one_data_fragment_is_copies) {
  ErasureCodes codes;
  const auto chunk = make_coded_chunk(3, {8, 3}, 100'000);
  const auto fragments = encode(chunk, codes);
  ASSERT_EQ(fragments.size(), 4U);
  for (const Fragment& fragment : fragments) {
    EXPECT_EQ(fragment.bytes.data(), chunk->ciphertext.data());
    EXPECT_EQ(fragment.bytes.size(), 100'000U);
    EXPECT_EQ(fragment.chunk->checksums.size(), chunk->tags.size());
  }
}

}  // namespace
}  // namespace kiseki::chunk
