#include <gtest/gtest.h>

#include "base/codec.h"
#include "chunk/chunk_store.h"
#include "chunk/detail/header_cache.h"
#include "chunk/detail/space.h"
#include "chunk/testing/device_world.h"

namespace kiseki::chunk {
namespace {

using namespace detail;

crypto::Key256 key_of(std::uint64_t seed) {
  SeededRng rng(seed);
  return crypto::Key256::random(rng);
}

void flip(MutableView bytes, std::size_t bit) { bytes[bit / 8] ^= std::byte{1} << (bit % 8); }

TEST(ChunkFormat, takes_blocks_of_64_kib_or_the_whole_chunk) {
  EXPECT_EQ(format_for(1).block_units, 1);
  EXPECT_EQ(format_for(4_KiB).block_units, 1);
  EXPECT_EQ(format_for(4_KiB + 1).block_units, 2);
  EXPECT_EQ(format_for(64_KiB).block_units, 16);
  EXPECT_EQ(format_for(4_MiB).block_units, 16);
  EXPECT_EQ(block_size(format_for(1)), 4_KiB);
  EXPECT_EQ(block_count(format_for(4_MiB), 4_MiB), 64U);
  EXPECT_EQ(block_count(format_for(4_MiB + 1), 4_MiB + 1), 65U);
}

TEST(ChunkRoot, is_the_documented_hash_and_pins_format_length_and_tags) {
  const std::vector<crypto::Tag> tags(2);
  std::string bytes("\x01\x10\x00\x01\x00\x01", 6);
  bytes.append(32, '\0');
  EXPECT_EQ(root_of({1, 16}, 65537, tags), crypto::sha256(as_view(bytes)));
  EXPECT_NE(root_of({1, 16}, 65537, tags), root_of({1, 16}, 65538, tags));
  EXPECT_NE(root_of({1, 16}, 65537, tags), root_of({1, 15}, 65537, tags));
  auto other = tags;
  other[1][15] = std::byte{1};
  EXPECT_NE(root_of({1, 16}, 65537, tags), root_of({1, 16}, 65537, other));
  const auto chunk = make_chunk(1, 5000);
  EXPECT_EQ(reference_to(*chunk).length, 5000U);
  EXPECT_EQ(reference_to(*chunk).root, root_of(chunk->format, 5000, chunk->tags));
}

Superblock sample_superblock() {
  Superblock superblock;
  superblock.sequence = 7;
  superblock.uuid.fill(std::byte{9});
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
  const auto mac = key_of(1);
  const FragmentHeader header = describe(*chunk, {RegionNumber(5), 8_KiB}, GcEpoch(2));
  Buffer bytes(header_size(chunk->format, 30'000));
  encode(header, mac, bytes.span());
  EXPECT_EQ(header_size_at(bytes.view()), 4_KiB);
  const auto back = decode_header(bytes.view(), 8_KiB, mac);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->id, chunk->id);
  EXPECT_EQ(back->position, header.position);
  EXPECT_EQ(back->last_put, GcEpoch(2));
  EXPECT_EQ(back->length, 30'000U);
  EXPECT_EQ(back->checks, header.checks);
  EXPECT_FALSE(decode_header(bytes.view(), 12_KiB, mac));
  EXPECT_FALSE(decode_header(bytes.view(), 8_KiB, key_of(2)));
  const std::size_t meaningful = 80 + 20 * 8 + 32;
  for (std::size_t bit = 0; bit < meaningful * 8; ++bit) {
    flip(bytes.span(), bit);
    EXPECT_FALSE(decode_header(bytes.view(), 8_KiB, mac)) << bit;
    flip(bytes.span(), bit);
  }
}

TEST(FragmentHeader, grows_with_the_number_of_blocks) {
  EXPECT_EQ(header_size({1, 16}, 4_MiB), 4_KiB);
  EXPECT_EQ(header_size({1, 16}, 8_MiB), 4_KiB);
  const auto chunk = make_chunk(1, 8_MiB);
  const auto mac = key_of(1);
  Buffer bytes(header_size(chunk->format, 8_MiB));
  EXPECT_EQ(bytes.size(), 44_KiB);
  encode(describe(*chunk, {RegionNumber(1), 1_MiB}, GcEpoch(1)), mac, bytes.span());
  EXPECT_EQ(header_size_at(bytes.view().first(4_KiB)), 44_KiB);
  ASSERT_TRUE(decode_header(bytes.view(), 1_MiB, mac));
  EXPECT_FALSE(decode_header(bytes.view().first(40_KiB), 1_MiB, mac));
  EXPECT_EQ(fragment_size({1, 16}, 1), 8_KiB);
}

TEST(FragmentHeader, checks_blocks_one_by_one) {
  const auto chunk = make_chunk(1, 10'000);
  const FragmentHeader header = describe(*chunk, {RegionNumber(1), 0}, GcEpoch(1));
  Buffer bytes = Buffer::copy_of(chunk->ciphertext.view());
  EXPECT_TRUE(matches(header.checks, chunk->format, 0, bytes.view()));
  EXPECT_TRUE(matches(header.checks, chunk->format, 2, bytes.view().subspan(8192)));
  bytes.data()[5000] ^= std::byte{1};
  EXPECT_FALSE(matches(header.checks, chunk->format, 0, bytes.view()));
  EXPECT_TRUE(matches(header.checks, chunk->format, 0, bytes.view().first(4096)));
  EXPECT_FALSE(matches(header.checks, chunk->format, 3, bytes.view().first(4096)));
}

TEST(Records, read_back_and_refuse_every_flipped_bit) {
  const auto mac = key_of(1);
  std::vector<Record> records;
  for (std::uint64_t i = 0; i < records_max; ++i) {
    records.push_back({i % 2 == 0 ? Record::Kind::touch : Record::Kind::erase, id_of(i), GcEpoch(i)});
  }
  Buffer block = encode(records, {RegionNumber(3), 4_KiB}, mac);
  const auto back = decode_records(block.view(), 4_KiB, mac);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->position, (Position{RegionNumber(3), 4_KiB}));
  ASSERT_EQ(back->records.size(), records_max);
  EXPECT_EQ(back->records[97].id, id_of(97));
  EXPECT_EQ(back->records[97].kind, Record::Kind::erase);
  EXPECT_EQ(back->records[96].epoch, GcEpoch(96));
  EXPECT_FALSE(decode_records(block.view(), 8_KiB, mac));
  for (std::size_t bit = 0; bit < (32 + 41 * records_max + 32) * 8; bit += 5) {
    flip(block.span(), bit);
    EXPECT_FALSE(decode_records(block.view(), 4_KiB, mac)) << bit;
    flip(block.span(), bit);
  }
}

class SpaceTest : public testing::Test {
 protected:
  Bytes at(Bytes offset) const { return geometry_.extent_of(0).offset + offset; }
  std::vector<Extent> free(std::vector<Index::Live> live = {}) { return space_.free_in(0, live); }
  void flush() { space_.end_flush(space_.begin_flush()); }

  Geometry geometry_{64_KiB, 4};
  Space space_{geometry_};
};

TEST_F(SpaceTest, hands_out_rising_positions_and_never_goes_back) {
  space_.open({RegionNumber(1), 0}, {{at(0), 8_KiB}, {at(16_KiB), 32_KiB}});
  const auto first = space_.take(4_KiB);
  const auto large = space_.take(16_KiB);
  const auto small = space_.take(4_KiB);
  ASSERT_TRUE(first && large && small);
  EXPECT_EQ(*first, (Position{RegionNumber(1), at(0)}));
  EXPECT_EQ(*large, (Position{RegionNumber(1), at(16_KiB)}));
  EXPECT_GT(*small, *large);
  EXPECT_FALSE(space_.take(16_KiB));
  EXPECT_TRUE(space_.take(12_KiB));
  EXPECT_FALSE(space_.take(4_KiB));
  EXPECT_EQ(space_.outstanding(), 36_KiB);
}

TEST_F(SpaceTest, a_region_closes_in_order_and_only_when_settled_before_the_flush) {
  space_.open({RegionNumber(1), 0}, {{at(0), 64_KiB}});
  const auto held = space_.take(4_KiB);
  space_.open({RegionNumber(2), 1}, {{geometry_.extent_of(1).offset, 64_KiB}});
  space_.retire();
  flush();
  EXPECT_EQ(space_.open_regions().size(), 2U);
  const auto early = space_.begin_flush();
  space_.settle(*held, 4_KiB);
  space_.end_flush(early);
  EXPECT_EQ(space_.open_regions().size(), 2U);
  flush();
  EXPECT_TRUE(space_.open_regions().empty());
}

TEST_F(SpaceTest, freed_space_waits_for_a_flush_that_began_later) {
  const auto early = space_.begin_flush();
  space_.freed({at(0), 8_KiB});
  space_.end_flush(early);
  EXPECT_EQ(free(), (std::vector<Extent>{{at(8_KiB), 56_KiB}}));
  flush();
  EXPECT_EQ(free(), (std::vector<Extent>{{at(0), 64_KiB}}));
}

TEST_F(SpaceTest, freed_space_waits_for_the_reads_begun_before) {
  const auto before = space_.begin_read();
  space_.freed({at(60_KiB), 4_KiB});
  const auto after = space_.begin_read();
  flush();
  EXPECT_EQ(free(), (std::vector<Extent>{{at(0), 60_KiB}}));
  space_.end_read(before);
  EXPECT_EQ(free(), (std::vector<Extent>{{at(0), 64_KiB}}));
  space_.end_read(after);
}

TEST_F(SpaceTest, free_space_is_what_fragments_leave) {
  EXPECT_EQ(free({{{at(4_KiB), 8_KiB}, {}}, {{at(12_KiB), 4_KiB}, {}}, {{at(60_KiB), 4_KiB}, {}}}),
            (std::vector<Extent>{{at(0), 4_KiB}, {at(16_KiB), 44_KiB}}));
}

TEST_F(SpaceTest, chooses_the_emptiest_closed_area_that_may_hold_it) {
  const std::vector<AreaUsage> usage = {{8_KiB, 1}, {4_KiB, 1}, {16_KiB, 1}, {64_KiB, 1}};
  EXPECT_EQ(space_.choose(4_KiB, usage), 1U);
  space_.open({RegionNumber(1), 1}, {});
  EXPECT_EQ(space_.choose(4_KiB, usage), 0U);
  // Looked at, and in small pieces.
  std::vector<Index::Live> pieces;
  for (Bytes offset = 0; offset < 64_KiB; offset += 8_KiB) pieces.push_back({{at(offset), 4_KiB}, {}});
  static_cast<void>(free(pieces));
  EXPECT_EQ(space_.choose(8_KiB, usage), 2U);
  EXPECT_EQ(space_.choose(4_KiB, usage), 0U);
  EXPECT_FALSE(space_.choose(60_KiB, usage));
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
