#include "chunk/pools/activation.h"

#include <gtest/gtest.h>

#include "base/planted.h"

namespace kiseki::chunk::detail {
namespace {

/// A device as its superblock is, which starts and is copied.
struct Disk {
  DeviceIdentity identity{.id = {std::byte{1}}};
  void start(std::uint64_t drawn) { identity.starts.push_back(drawn); }
  void confirm() { identity.starts = {identity.starts.back()}; }
};

DeviceRecord record() { return {.id = {std::byte{1}}, .node = NodeId(1), .pool = PoolId(1)}; }

TEST(Activation, follows_the_starts_of_a_device) {
  Disk disk;
  auto known = record();
  for (std::uint64_t start = 10; start < 15; ++start) {
    disk.start(start);
    known = activate(known, disk.identity).value();
    EXPECT_EQ(known.start, start);
    EXPECT_TRUE(activate(known, disk.identity)) << "asked twice";
    disk.confirm();
  }
}

TEST(Activation, starts_that_the_map_never_heard_of_are_no_harm) {
  Disk disk;
  disk.start(1);
  auto known = activate(record(), disk.identity).value();
  disk.confirm();
  disk.start(2);  // and a crash before the map knows
  disk.start(3);  // and another
  known = activate(known, disk.identity).value();
  EXPECT_EQ(known.start, 3U);
  disk.start(4);  // a crash before the device knows that the map does
  EXPECT_EQ(activate(known, disk.identity)->start, 4U);
}

TEST(Activation, refuses_an_older_copy_and_the_loser_of_two_that_start_at_once) {
  Disk disk;
  disk.start(1);
  auto known = activate(record(), disk.identity).value();
  disk.confirm();
  Disk copy = disk;
  disk.start(2);
  known = activate(known, disk.identity).value();
  disk.confirm();
  copy.start(4);
  EXPECT_EQ(activate(known, copy.identity).error().code(), Errc::precondition_failed);
  // Both of these start from what the map knows; the second finds the first one's record.
  Disk twin = disk;
  disk.start(5);
  twin.start(6);
  known = activate(known, disk.identity).value();
  EXPECT_FALSE(activate(known, twin.identity));
  twin.start(7);
  EXPECT_FALSE(activate(known, twin.identity));
  const planted::Fault fault("8.8 an older copy of a device is let in");
  EXPECT_TRUE(activate(known, twin.identity)) << "and then reads would go to what it has not seen";
  EXPECT_GT(fault.met(), 0U);
}

TEST(Activation, refuses_what_was_given_up) {
  Disk disk;
  disk.start(1);
  auto given_up = record();
  given_up.state = DeviceState::gone;
  EXPECT_EQ(activate(given_up, disk.identity).error().code(), Errc::precondition_failed);
}

}  // namespace
}  // namespace kiseki::chunk::detail
