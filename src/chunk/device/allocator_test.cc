#include "chunk/device/allocator.h"

#include <gtest/gtest.h>

namespace kiseki::chunk::detail {
namespace {

class AllocatorTest : public testing::Test {
 protected:
  Bytes at(Bytes offset) const { return geometry_.extent_of(0).offset + offset; }
  std::vector<Extent> free(std::vector<Index::Live> live = {}) { return allocator_.free_in(0, live); }
  void flush() { allocator_.end_flush(allocator_.begin_flush()); }

  Geometry geometry_{64_KiB, 4};
  std::vector<AreaUsage> usage_{{8_KiB, 1}, {4_KiB, 1}, {16_KiB, 1}, {64_KiB, 1}};
  Allocator allocator_{geometry_, usage_};
};

TEST_F(AllocatorTest, hands_out_rising_positions_and_never_goes_back) {
  allocator_.open({RegionNumber(1), 0}, {{at(0), 8_KiB}, {at(16_KiB), 32_KiB}});
  const auto first = allocator_.take(4_KiB);
  const auto large = allocator_.take(16_KiB);
  const auto small = allocator_.take(4_KiB);
  ASSERT_TRUE(first && large && small);
  EXPECT_EQ(*first, (Position{RegionNumber(1), at(0)}));
  EXPECT_EQ(*large, (Position{RegionNumber(1), at(16_KiB)}));
  EXPECT_GT(*small, *large);
  EXPECT_FALSE(allocator_.take(16_KiB));
  EXPECT_TRUE(allocator_.take(12_KiB));
  EXPECT_FALSE(allocator_.take(4_KiB));
  EXPECT_EQ(allocator_.outstanding(), 36_KiB);
}

TEST_F(AllocatorTest, a_region_closes_in_order_and_only_when_settled_before_the_flush) {
  allocator_.open({RegionNumber(1), 0}, {{at(0), 64_KiB}});
  const auto held = allocator_.take(4_KiB);
  allocator_.open({RegionNumber(2), 1}, {{geometry_.extent_of(1).offset, 64_KiB}});
  allocator_.retire();
  flush();
  EXPECT_EQ(allocator_.open_regions().size(), 2U);
  const auto early = allocator_.begin_flush();
  allocator_.settle(*held, 4_KiB);
  allocator_.end_flush(early);
  EXPECT_EQ(allocator_.open_regions().size(), 2U);
  flush();
  EXPECT_TRUE(allocator_.open_regions().empty());
}

TEST_F(AllocatorTest, freed_space_waits_for_a_flush_that_began_later) {
  const auto early = allocator_.begin_flush();
  allocator_.freed({at(0), 8_KiB});
  allocator_.end_flush(early);
  EXPECT_EQ(free(), (std::vector<Extent>{{at(8_KiB), 56_KiB}}));
  flush();
  EXPECT_EQ(free(), (std::vector<Extent>{{at(0), 64_KiB}}));
}

TEST_F(AllocatorTest, space_that_is_being_freed_is_not_handed_out) {
  allocator_.freeing({at(0), 8_KiB});
  flush();
  EXPECT_EQ(free(), (std::vector<Extent>{{at(8_KiB), 56_KiB}}));
  allocator_.freed({at(0), 8_KiB});
  EXPECT_EQ(free(), (std::vector<Extent>{{at(8_KiB), 56_KiB}}));
  flush();
  EXPECT_EQ(free(), (std::vector<Extent>{{at(0), 64_KiB}}));
}

TEST_F(AllocatorTest, freed_space_waits_for_the_reads_begun_before) {
  const auto before = allocator_.begin_read();
  allocator_.freed({at(60_KiB), 4_KiB});
  const auto after = allocator_.begin_read();
  flush();
  EXPECT_EQ(free(), (std::vector<Extent>{{at(0), 60_KiB}}));
  allocator_.end_read(before);
  EXPECT_EQ(free(), (std::vector<Extent>{{at(0), 64_KiB}}));
  allocator_.end_read(after);
}

TEST_F(AllocatorTest, free_space_is_what_fragments_leave) {
  EXPECT_EQ(free({{{at(4_KiB), 8_KiB}, {}}, {{at(12_KiB), 4_KiB}, {}}, {{at(60_KiB), 4_KiB}, {}}}),
            (std::vector<Extent>{{at(0), 4_KiB}, {at(16_KiB), 44_KiB}}));
}

TEST_F(AllocatorTest, chooses_the_closed_area_that_may_hold_the_largest_piece) {
  EXPECT_EQ(allocator_.choose(4_KiB), 1U);
  allocator_.open({RegionNumber(1), 1}, {});
  EXPECT_EQ(allocator_.choose(4_KiB), 0U);
  // Looked at, and in small pieces.
  std::vector<Index::Live> pieces;
  for (Bytes offset = 0; offset < 64_KiB; offset += 8_KiB) pieces.push_back({{at(offset), 4_KiB}, {}});
  static_cast<void>(free(pieces));
  EXPECT_EQ(allocator_.choose(4_KiB), 2U);
  EXPECT_FALSE(allocator_.choose(60_KiB));
  usage_.push_back({});
  allocator_.add_areas();
  EXPECT_EQ(allocator_.choose(60_KiB), 4U);
}

TEST_F(AllocatorTest, finds_room_again_in_an_area_that_closes_or_gets_space_back) {
  allocator_.open({RegionNumber(1), 1}, {});
  usage_[1].live = 32_KiB;
  usage_[0].live = usage_[2].live = 64_KiB;
  EXPECT_EQ(free({{{at(0), 64_KiB}, {}}}), std::vector<Extent>());
  allocator_.retire();
  flush();
  EXPECT_EQ(allocator_.choose(32_KiB), 2U) << "a bound that nobody has looked at";
  EXPECT_EQ(allocator_.choose(49_KiB), std::nullopt);
  usage_[0].live = 0;
  allocator_.freed({at(0), 64_KiB});
  EXPECT_EQ(allocator_.choose(49_KiB), std::nullopt);
  flush();
  EXPECT_EQ(allocator_.choose(49_KiB), 0U);
}

TEST(Allocator, looks_at_few_areas_of_a_large_device) {
  // 64 TiB in regions of 64 MiB: a look at all of them for each opening would take hours here.
  const Geometry geometry{64_MiB, 1 << 20};
  const std::vector<AreaUsage> usage(1 << 20, {64_MiB, 9});
  Allocator allocator(geometry, usage);
  for (int i = 0; i < 10'000'000; ++i) ASSERT_FALSE(allocator.choose(4_KiB));
}

}  // namespace
}  // namespace kiseki::chunk::detail
