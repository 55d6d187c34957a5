#include "chunk/device/group_ledger.h"

#include <gtest/gtest.h>

#include "base/planted.h"
#include "base/scope.h"
#include "chunk/placement/moves.h"
#include "chunk/testing/device_world.h"

namespace kiseki::chunk::detail {
namespace {

constexpr PoolId pool{1};

GroupRecord group(std::uint32_t number, std::uint64_t epoch) {
  return {.pool = pool, .number = GroupNumber(number), .epoch = GroupEpoch(epoch), .current = {{}}};
}
/// A chunk of group 0x31 of 2^8.
ChunkName chunk() { return {{std::byte{0x31}, std::byte{0x80}}, NamespaceId(9), pool}; }

void acknowledge(GroupLedger& ledger, std::uint8_t bits, std::vector<GroupRecord> groups) {
  ASSERT_TRUE(ledger.learn(bits, groups));
  ledger.serve(bits, groups);
}

bool takes(GroupLedger& ledger, std::uint8_t bits, std::uint64_t epoch) {
  return ledger.admit(chunk(), {bits, GroupEpoch(epoch)}).has_value();
}

TEST(GroupLedger, takes_writes_of_the_newest_epoch_alone) {
  GroupLedger ledger;
  EXPECT_TRUE(takes(ledger, 0, 0)) << "no map names this device";
  EXPECT_FALSE(takes(ledger, 8, 1)) << "it has acknowledged nothing";
  acknowledge(ledger, 8, {group(0x31, 4), group(0x32, 9)});
  EXPECT_FALSE(takes(ledger, 0, 0));
  EXPECT_TRUE(takes(ledger, 8, 4));
  for (const std::uint64_t other : {3U, 5U, 9U}) EXPECT_FALSE(takes(ledger, 8, other));
  EXPECT_FALSE(takes(ledger, 9, 4));
  EXPECT_EQ(ledger.admit(chunk(), {8, GroupEpoch(3)}).error().code(), Errc::stale);
  acknowledge(ledger, 8, {group(0x31, 5)});
  EXPECT_FALSE(takes(ledger, 8, 4));
  EXPECT_TRUE(takes(ledger, 8, 5));
  EXPECT_EQ(ledger.learn(8, std::vector{group(0x31, 4)}).error().code(), Errc::stale);
  EXPECT_TRUE(takes(ledger, 8, 5));
  const planted::Fault fault("8.3 a device takes writes of another epoch");
  EXPECT_TRUE(takes(ledger, 8, 4));
  EXPECT_GT(fault.met(), 0U);
}

TEST(GroupLedger, takes_nothing_of_a_group_between_learning_and_serving) {
  GroupLedger ledger;
  acknowledge(ledger, 8, {group(0x31, 4)});
  const std::vector next{group(0x31, 5)};
  ASSERT_TRUE(ledger.learn(8, next));
  EXPECT_FALSE(takes(ledger, 8, 4));
  EXPECT_FALSE(takes(ledger, 8, 5));
  ledger.serve(8, std::vector{group(0x31, 4)});  // the older one has become durable late
  EXPECT_FALSE(takes(ledger, 8, 5));
  ledger.serve(8, next);
  EXPECT_TRUE(takes(ledger, 8, 5));
}

TEST(GroupLedger, a_child_ends_its_parent) {
  GroupLedger ledger;
  acknowledge(ledger, 8, {group(0x31, 4)});
  acknowledge(ledger, 9, {group(0x63, 5)});
  EXPECT_FALSE(takes(ledger, 8, 4));
  EXPECT_TRUE(takes(ledger, 9, 5));
  const ChunkName sibling{{std::byte{0x31}}, NamespaceId(9), pool};
  EXPECT_TRUE(ledger.admit(sibling, {8, GroupEpoch(4)})) << "of which no child is acknowledged yet";
}

TEST(GroupLedger, an_epoch_waits_for_writes_of_older_ones) {
  sim::SimulatedLoop loop;
  GroupLedger ledger;
  acknowledge(ledger, 8, {group(0x31, 4), group(0x32, 4)});
  auto older = std::make_optional(ledger.admit(chunk(), {8, GroupEpoch(4)}).value());
  const ChunkName other{{std::byte{0x32}}, NamespaceId(9), pool};
  const auto elsewhere = ledger.admit(other, {8, GroupEpoch(4)}).value();
  acknowledge(ledger, 8, {group(0x31, 5)});
  const auto newer = ledger.admit(chunk(), {8, GroupEpoch(5)}).value();
  bool done = false;
  Scope scope(loop.executor());
  const auto wait = [](GroupLedger& of, bool& end) -> Task<> {
    co_await of.drained();
    end = true;
  };
  scope.spawn(wait(ledger, done));
  loop.run();
  EXPECT_FALSE(done);
  older.reset();
  loop.run();
  EXPECT_TRUE(done);
  loop.get(scope.stop());
  older.emplace(ledger.admit(chunk(), {8, GroupEpoch(5)}).value());
  ASSERT_TRUE(ledger.learn(8, std::vector{group(0x31, 6)}));
  const planted::Fault fault("8.3 an epoch is acknowledged while older writes are under way");
  loop.get(ledger.drained());
  EXPECT_GT(fault.met(), 0U);
}

}  // namespace
}  // namespace kiseki::chunk::detail
