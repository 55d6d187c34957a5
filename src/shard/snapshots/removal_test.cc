#include "shard/snapshots/removal.h"

#include <gtest/gtest.h>

#include "shard/client/shard_map.h"
#include "shard/node/local_replica.h"
#include "shard/testing/shard_world.h"

namespace kiseki::shard::detail {
namespace {

using Type = Assert::Type;

/// Rows in these slots.
std::size_t count_in(kv::KvStore& store, SlotRange range) {
  std::size_t count = 0;
  const auto rows = store.iterate(family_rows, {});
  for (rows->seek({}); rows->valid(); rows->next()) {
    if (range.contains(slot_of(Key::decode(rows->key()).value().leaf))) ++count;
  }
  return count;
}

constexpr SlotRange everywhere{.first = 0, .last = 65'535};

/// A world whose data shards each hold a few rows.
struct Filled {
  Filled() {
    Session& session = *world.connect(1).session;
    for (std::uint64_t i = 0; i < 40; ++i) {
      auto transaction = transaction_of_test();
      const Key row = key(world.leaf_in(1 + i % 4, i / 4), Kind::inode, item_of(i));
      transaction.require(Type::absent, row).put(row, record_of_test("value"));
      const auto made = world.loop().get(session.commit(std::move(transaction)));
      EXPECT_TRUE(made && made->committed());
    }
    EXPECT_TRUE(store().flush());
  }
  sim::CrashableKv& store() { return world.store(); }
  SlotRange range_of(std::size_t shard) { return world.shard(shard).machine().range(); }

  ShardWorld world{4};
};

TEST(Removal, takes_the_rows_of_one_replica_and_leaves_a_mark) {
  Filled filled;
  auto& store = filled.store();
  const SlotRange range = filled.range_of(2);
  const std::size_t own = count_in(store, range), all = count_in(store, everywhere);
  ASSERT_GT(own, 0U);
  ASSERT_TRUE(remove_replica(store, ShardId(2)));
  EXPECT_EQ(count_in(store, range), 0U);
  EXPECT_EQ(count_in(store, everywhere), all - own);
  EXPECT_TRUE(was_removed(store, ShardId(2)).value());
  EXPECT_FALSE(was_removed(store, ShardId(3)).value());
  EXPECT_EQ(Machine::all(store).value(), (std::vector{ShardId(0), ShardId(1), ShardId(3), ShardId(4)}));
  EXPECT_FALSE(is_taken(store, range, ShardId(9)).value());
}

TEST(Removal, goes_on_after_a_crash_and_holds_the_slots_until_it_is_done) {
  bool was_seen_half = false;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    Filled filled;
    auto& store = filled.store();
    const SlotRange range = filled.range_of(2);
    const std::size_t own = count_in(store, range), all = count_in(store, everywhere);
    ASSERT_TRUE(remove_replica(store, ShardId(2)));
    store.crash(seed);
    const bool is_marked = was_removed(store, ShardId(2)).value();
    const bool is_taken_still = is_taken(store, range, ShardId(9)).value();
    if (!is_marked) EXPECT_TRUE(is_taken_still && count_in(store, range) == own);
    was_seen_half |= is_marked && is_taken_still;
    ASSERT_TRUE(finish_removals(store));
    EXPECT_EQ(count_in(store, range), is_marked ? 0 : own);
    EXPECT_EQ(count_in(store, everywhere), is_marked ? all - own : all);
    EXPECT_EQ(is_taken(store, range, ShardId(9)).value(), !is_marked);
  }
  EXPECT_TRUE(was_seen_half);
}

TEST(Removal, erases_a_bounded_number_of_rows_a_step) {
  sim::CrashableKv store{family_count};
  constexpr std::size_t rows = 3 * Erasure::step_rows_max + 1;
  kv::Batch batch;
  for (std::uint64_t i = 0; i < rows; ++i) {
    const Key row =
        key({NamespaceId(9), InodeId(1), LeafId(static_cast<std::uint32_t>(i))}, Kind::inode, item_of(i));
    batch.put(family_rows, row.encode(), record_of_test("value").encode());
  }
  ASSERT_TRUE(store.write(batch));
  Erasure erasure(store, everywhere);
  for (std::size_t left = rows; left > 0;) {
    ASSERT_TRUE(erasure.step().value());
    const std::size_t now = count_in(store, everywhere);
    EXPECT_LE(left - now, Erasure::step_rows_max);
    ASSERT_LT(now, left);
    left = now;
  }
  while (erasure.step().value()) {
  }
  EXPECT_FALSE(erasure.step().value());
}

TEST(ShardMapTest, gives_slots_of_unknown_children_to_where_they_came_from) {
  ShardMap map;
  map.add(ShardId(1), 1);
  map.add(ShardId(4), 1000);
  map.add(ShardId(7), 500);
  ASSERT_EQ(map.shards.size(), 4U);
  EXPECT_EQ(map.find(ShardId(1))->range, (SlotRange{1, 499}));
  EXPECT_EQ(map.find(ShardId(7))->range, (SlotRange{500, 999}));
  EXPECT_EQ(map.find(ShardId(4))->range, (SlotRange{1000, 65'535}));
  EXPECT_EQ(map.find(ShardId(5)), nullptr);
  EXPECT_EQ(map.next, ShardId(8));
}

TEST(ShardMapTest, joins_to_the_same_whichever_comes_first) {
  ShardMap one, other;
  one.add(ShardId(1), 1);
  one.add(ShardId(2), 300);
  other.add(ShardId(1), 1);
  other.add(ShardId(3), 200);
  other.next = ShardId(9);
  ShardMap left = one, right = other;
  left.add(other);
  right.add(one);
  EXPECT_EQ(left, right);
  EXPECT_EQ(left.next, ShardId(9));
  left.add(one);
  EXPECT_EQ(left, right);
  EXPECT_EQ(ShardMap::decode(left.pages()).value(), left);
}

TEST(ShardMapTest, has_room_for_a_shard_of_every_slot) {
  ShardMap map;
  for (std::uint32_t slot = 1; slot < 65'536; ++slot) map.add(ShardId(slot), static_cast<Slot>(slot));
  ASSERT_EQ(map.shards.size(), 65'536U);
  auto pages = map.pages();
  EXPECT_GT(pages.size(), 1U);
  for (const auto& page : pages) EXPECT_LE(page.encoded_size(), Record::size_max);
  EXPECT_EQ(ShardMap::decode(pages).value(), map);
  pages.pop_back();
  EXPECT_EQ(ShardMap::decode(pages).error().code(), Errc::corrupted);
}

}  // namespace
}  // namespace kiseki::shard::detail
