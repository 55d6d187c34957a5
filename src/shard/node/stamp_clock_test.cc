#include "shard/node/stamp_clock.h"

#include <gtest/gtest.h>

namespace kiseki::shard::detail {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr BootTime boot{hours(1)};
constexpr WallTime wall{hours(500'000)};

Stamp stamp_of(WallTime time, std::uint64_t count = 0) {
  const auto ms = std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
  return Stamp((static_cast<std::uint64_t>(ms) << 16) + count);
}

TEST(StampClock, goes_on_by_the_boot_clock) {
  StampClock clock;
  EXPECT_EQ(clock.at(boot), Stamp(0));
  clock.set(wall, boot);
  EXPECT_EQ(clock.at(boot), stamp_of(wall));
  EXPECT_EQ(clock.at(boot + seconds(9)), stamp_of(wall + seconds(9)));
  clock.set(wall - seconds(1), boot);
  EXPECT_EQ(clock.at(boot), stamp_of(wall - seconds(1)));
}

TEST(StampClock, knows_how_far_right_clocks_have_come) {
  StampClock clock;
  EXPECT_TRUE(clock.is_beyond(stamp_of(wall), boot));
  clock.set(wall, boot);
  EXPECT_FALSE(clock.is_beyond(stamp_of(wall + milliseconds(500)), boot));
  EXPECT_TRUE(clock.is_beyond(stamp_of(wall + milliseconds(501)), boot));
  EXPECT_FALSE(clock.is_beyond(stamp_of(wall + milliseconds(501)), boot + milliseconds(1)));
}

TEST(StampClock, follows_what_shards_have_come_to) {
  StampClock clock;
  clock.set(wall, boot);
  const WallTime ahead = wall + hours(1);
  clock.pass(stamp_of(ahead));
  clock.pass(stamp_of(wall));
  EXPECT_EQ(clock.newest(), stamp_of(ahead));
  EXPECT_FALSE(clock.is_beyond(stamp_of(ahead), boot));
  EXPECT_TRUE(clock.is_beyond(stamp_of(ahead, 1), boot));
}

/// Those it heard of count on meanwhile, by less than the clocks do.
TEST(StampClock, follows_what_it_heard_of) {
  StampClock clock;
  clock.set(wall, boot);
  const WallTime ahead = wall + hours(1);
  clock.hear(stamp_of(ahead));
  EXPECT_FALSE(clock.is_beyond(stamp_of(ahead, 1'000'000), boot));
  EXPECT_TRUE(clock.is_beyond(stamp_of(ahead + milliseconds(17)), boot));
  EXPECT_EQ(clock.newest(), Stamp(0));
}

}  // namespace
}  // namespace kiseki::shard::detail
