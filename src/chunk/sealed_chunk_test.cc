#include <gtest/gtest.h>

#include "chunk/testing/device_world.h"

namespace kiseki::chunk {
namespace {

TEST(ChunkFormat, takes_blocks_of_64_kib_or_the_whole_chunk) {
  const auto single = [](Bytes length) { return format_for({}, length); };
  EXPECT_EQ(single(1).block_units, 1);
  EXPECT_EQ(single(4_KiB).block_units, 1);
  EXPECT_EQ(single(4_KiB + 1).block_units, 2);
  EXPECT_EQ(single(64_KiB).block_units, 16);
  EXPECT_EQ(single(4_MiB).block_units, 16);
  EXPECT_EQ(block_size(single(1)), 4_KiB);
  EXPECT_EQ(block_count(single(4_MiB), 4_MiB), 64U);
  EXPECT_EQ(block_count(single(4_MiB + 1), 4_MiB + 1), 65U);
}

TEST(ChunkFormat, has_small_blocks_or_copies_where_a_code_would_cut_too_finely) {
  const Profile wide{8, 3};
  EXPECT_EQ(format_for(wide, 4_MiB), (ChunkFormat{1, 8, 3, 16}));
  EXPECT_EQ(format_for(wide, 200'000), (ChunkFormat{1, 8, 3, 7}));
  EXPECT_EQ(format_for(wide, 128_KiB), (ChunkFormat{1, 8, 3, 4}));
  EXPECT_EQ(format_for(wide, 513_KiB), (ChunkFormat{1, 8, 3, 9}));
  EXPECT_EQ(format_for(wide, 8_MiB), (ChunkFormat{1, 8, 3, 16}));
  EXPECT_EQ(format_for(wide, 128_KiB - 1), (ChunkFormat{1, 1, 3, 16}));
  EXPECT_EQ(format_for(wide, 1), (ChunkFormat{1, 1, 3, 1}));
}

TEST(ChunkRoot, is_the_documented_hash_and_pins_format_length_and_tags) {
  const std::vector<crypto::Tag> tags(2);
  const ChunkFormat format{1, 4, 2, 16};
  std::string bytes("\x01\x04\x02\x10\x00\x01\x00\x01", 8);
  bytes.append(32, '\0');
  EXPECT_EQ(root_of(format, 65537, tags), crypto::sha256(as_view(bytes)));
  EXPECT_NE(root_of(format, 65537, tags), root_of(format, 65538, tags));
  EXPECT_NE(root_of(format, 65537, tags), root_of({1, 4, 2, 15}, 65537, tags));
  EXPECT_NE(root_of(format, 65537, tags), root_of({1, 4, 3, 16}, 65537, tags));
  auto other = tags;
  other[1][15] = std::byte{1};
  EXPECT_NE(root_of(format, 65537, tags), root_of(format, 65537, other));
  const auto chunk = make_chunk(1, 5000);
  EXPECT_EQ(reference_to(*chunk).length, 5000U);
  EXPECT_EQ(reference_to(*chunk).root, root_of(chunk->format, 5000, chunk->tags));
}

}  // namespace
}  // namespace kiseki::chunk
