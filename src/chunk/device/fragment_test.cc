#include <gtest/gtest.h>

#include "base/codec.h"
#include "chunk/device/header_cache.h"
#include "chunk/testing/device_world.h"

namespace kiseki::chunk {
namespace {

using namespace detail;

crypto::Key256 secret_of(std::uint64_t seed) {
  SeededRng rng(seed);
  return crypto::Key256::random(rng);
}

ChunkFormat with_blocks_of(std::uint8_t units) {
  ChunkFormat format;
  format.block_units = units;
  return format;
}

void flip(MutableView bytes, std::size_t bit) { bytes[bit / 8] ^= std::byte{1} << (bit % 8); }

Superblock sample_superblock() {
  Superblock superblock;
  superblock.sequence = 7;
  superblock.uuid.fill(std::byte{9});
  superblock.cluster.fill(std::byte{8});
  superblock.starts = {76, 77};
  superblock.geometry = {64_MiB, 100};
  superblock.next_region = RegionNumber(12);
  superblock.epoch = GcEpoch(3);
  superblock.open = {{RegionNumber(9), 4}, {RegionNumber(11), 0}};
  superblock.wrapped_secret = "wrapped";
  return superblock;
}

TEST(Superblock, reads_back_and_refuses_every_flipped_bit) {
  const Superblock superblock = sample_superblock();
  Buffer block = encode(superblock);
  ASSERT_EQ(block.size(), 4_KiB);
  const auto back = decode_superblock(block.view());
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(back->sequence, 7U);
  EXPECT_EQ(back->uuid, superblock.uuid);
  EXPECT_EQ(back->cluster, superblock.cluster);
  EXPECT_EQ(back->starts, superblock.starts);
  EXPECT_EQ(back->geometry.areas, 100U);
  EXPECT_EQ(back->next_region, RegionNumber(12));
  EXPECT_EQ(back->epoch, GcEpoch(3));
  EXPECT_EQ(back->open, superblock.open);
  EXPECT_EQ(back->wrapped_secret, "wrapped");
  for (std::size_t bit = 0; bit < block.size() * 8; bit += 7) {
    flip(block.span(), bit);
    EXPECT_FALSE(decode_superblock(block.view())) << bit;
    flip(block.span(), bit);
  }
}

TEST(Superblock, refuses_what_cannot_be_meant) {
  const auto refused = [](auto change) {
    Superblock superblock = sample_superblock();
    change(superblock);
    return !decode_superblock(encode(superblock).view());
  };
  EXPECT_TRUE(refused([](Superblock& s) { s.geometry.region = 0; }));
  EXPECT_TRUE(refused([](Superblock& s) { s.geometry.region = 4097; }));
  EXPECT_TRUE(refused([](Superblock& s) { s.geometry.areas = 4; }));
  EXPECT_TRUE(refused([](Superblock& s) { s.next_region = RegionNumber(11); }));
  EXPECT_TRUE(refused([](Superblock& s) { std::swap(s.open[0], s.open[1]); }));
  Buffer zeros(4_KiB);
  std::memset(zeros.data(), 0, zeros.size());
  EXPECT_EQ(decode_superblock(zeros.view()).error().code(), Errc::wrong_format);
}

TEST(FragmentHeader, reads_back_and_refuses_every_flipped_bit_and_another_place) {
  const auto chunk = make_chunk(1, 30'000);
  const auto mac = secret_of(1);
  const FragmentHeader header = describe(copy_of(chunk, 0), {{RegionNumber(5), 8_KiB}, GcEpoch(2)});
  Buffer bytes(header_size(chunk->format, 30'000));
  encode(header, mac, bytes.span());
  EXPECT_EQ(header_size_at(bytes.view()), 4_KiB);
  const auto back = decode_header(bytes.view(), 8_KiB, mac);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->key, (FragmentKey{chunk->name, 0}));
  EXPECT_EQ(back->position, header.position);
  EXPECT_EQ(back->last_put, GcEpoch(2));
  EXPECT_EQ(back->length, 30'000U);
  EXPECT_EQ(back->checks, header.checks);
  EXPECT_FALSE(decode_header(bytes.view(), 12_KiB, mac));
  EXPECT_FALSE(decode_header(bytes.view(), 8_KiB, secret_of(2)));
  const std::size_t meaningful = 96 + 20 * 8 + 32;
  for (std::size_t bit = 0; bit < meaningful * 8; ++bit) {
    flip(bytes.span(), bit);
    EXPECT_FALSE(decode_header(bytes.view(), 8_KiB, mac)) << bit;
    flip(bytes.span(), bit);
  }
}

TEST(FragmentHeader, grows_with_the_number_of_blocks) {
  EXPECT_EQ(header_size(with_blocks_of(16), 4_MiB), 4_KiB);
  EXPECT_EQ(header_size(with_blocks_of(16), 8_MiB), 4_KiB);
  const auto chunk = make_chunk(1, 8_MiB);
  const auto mac = secret_of(1);
  Buffer bytes(header_size(chunk->format, 8_MiB));
  EXPECT_EQ(bytes.size(), 44_KiB);
  encode(describe(copy_of(chunk, 0), {{RegionNumber(1), 1_MiB}, GcEpoch(1)}), mac, bytes.span());
  EXPECT_EQ(header_size_at(bytes.view().first(4_KiB)), 44_KiB);
  ASSERT_TRUE(decode_header(bytes.view(), 1_MiB, mac));
  EXPECT_FALSE(decode_header(bytes.view().first(40_KiB), 1_MiB, mac));
  EXPECT_EQ(fragment_size(with_blocks_of(16), 1, 0), 8_KiB);
}

TEST(FragmentHeader, checks_blocks_one_by_one) {
  const auto chunk = make_chunk(1, 10'000);
  const FragmentHeader header = describe(copy_of(chunk, 0), {{RegionNumber(1), 0}, GcEpoch(1)});
  Buffer bytes = Buffer::copy_of(chunk->ciphertext.view());
  EXPECT_TRUE(matches(header.checks, chunk->format, 0, bytes.view()));
  EXPECT_TRUE(matches(header.checks, chunk->format, 2, bytes.view().subspan(8192)));
  bytes.data()[5000] ^= std::byte{1};
  EXPECT_FALSE(matches(header.checks, chunk->format, 0, bytes.view()));
  EXPECT_TRUE(matches(header.checks, chunk->format, 0, bytes.view().first(4096)));
  EXPECT_FALSE(matches(header.checks, chunk->format, 3, bytes.view().first(4096)));
}

TEST(FragmentHeader, knows_copies_and_refuses_one_too_many) {
  auto chunk = std::make_shared<SealedChunk>(SealedChunk{chunk_name(1), with_blocks_of(1), {}, Buffer(100)});
  chunk->tags.resize(1);
  chunk->format.parity = 2;
  const auto mac = secret_of(1);
  const auto bytes_of = [&](std::uint8_t index) {
    Buffer bytes(unit);
    encode(describe(copy_of(chunk, index), {{RegionNumber(1), 0}, GcEpoch(1)}), mac, bytes.span());
    return bytes;
  };
  EXPECT_EQ(decode_header(bytes_of(2).view(), 0, mac)->key.index, 2);
  EXPECT_FALSE(decode_header(bytes_of(3).view(), 0, mac));
}

TEST(FragmentHeader, of_a_code_reads_back_with_the_checksums_of_all_fragments) {
  const auto chunk = make_coded_chunk(1, {4, 2}, 200'000);
  const auto mac = secret_of(1);
  ErasureCodes codes;
  for (Fragment& fragment : encode(chunk, codes)) {
    ASSERT_TRUE(check_shape(fragment));
    const FragmentHeader header = describe(fragment, {{RegionNumber(5), 8_KiB}, GcEpoch(2)});
    Buffer bytes(header_size(chunk->format, 200'000));
    encode(header, mac, bytes.span());
    const auto back = decode_header(bytes.view(), 8_KiB, mac);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->key, (FragmentKey{chunk->name, fragment.index}));
    EXPECT_EQ(back->checks, header.checks);
    EXPECT_EQ(back->checks.checksums.size(), 4U + 2U);
    const auto first = first_checksum(chunk->format, 200'000, fragment.index);
    EXPECT_TRUE(matches(back->checks, chunk->format, first, fragment.bytes));
    fragment.bytes = fragment.bytes.first(fragment.bytes.size() - 1);
    EXPECT_FALSE(check_shape(fragment));
  }
}

TEST(JournalBlock, reads_back_and_refuses_every_flipped_bit) {
  using Kind = JournalEntry::Kind;
  const auto mac = secret_of(1);
  JournalBlock block{{RegionNumber(3), 4_KiB}, {}};
  for (std::uint64_t i = 0; i < JournalBlock::entries_max; ++i) {
    const auto index = static_cast<std::uint8_t>(i % 3);
    block.entries.push_back({i % 2 == 0 ? Kind::touch : Kind::erase, {chunk_name(i), index}, GcEpoch(i)});
  }
  Buffer bytes = encode(block, mac);
  const auto back = decode_journal_block(bytes.view(), 4_KiB, mac);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->position, block.position);
  ASSERT_EQ(back->entries.size(), JournalBlock::entries_max);
  EXPECT_EQ(back->entries[73].key, (FragmentKey{chunk_name(73), 1}));
  EXPECT_EQ(back->entries[73].kind, Kind::erase);
  EXPECT_EQ(back->entries[72].epoch, GcEpoch(72));
  EXPECT_FALSE(decode_journal_block(bytes.view(), 8_KiB, mac));
  for (std::size_t bit = 0; bit < (32 + 54 * JournalBlock::entries_max + 32) * 8; bit += 5) {
    flip(bytes.span(), bit);
    EXPECT_FALSE(decode_journal_block(bytes.view(), 4_KiB, mac)) << bit;
    flip(bytes.span(), bit);
  }
}

TEST(HeaderCache, keeps_the_last_used_within_its_bytes) {
  HeaderCache cache(2500);
  BlockChecks checks;
  checks.tags.resize(40);
  checks.checksums.resize(40);
  const auto position = [](std::uint64_t i) { return Position{RegionNumber(1), i}; };
  cache.insert(position(1), checks);
  cache.insert(position(2), checks);
  ASSERT_NE(cache.find(position(1)), nullptr);
  cache.insert(position(3), checks);
  EXPECT_NE(cache.find(position(1)), nullptr);
  EXPECT_EQ(cache.find(position(2)), nullptr);
  cache.erase(position(1));
  EXPECT_EQ(cache.find(position(1)), nullptr);
  checks.tags.resize(1000);
  cache.insert(position(4), checks);
  EXPECT_EQ(cache.find(position(4)), nullptr);
}

}  // namespace
}  // namespace kiseki::chunk
