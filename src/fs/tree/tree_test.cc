#include "fs/tree/tree.h"

#include <fmt/format.h>

#include "fs/testing/tree_world.h"

namespace kiseki::fs::detail {
namespace {

class TreeTest : public testing::Test {
 public:
  void put(Gateway& on, std::string key, std::string value = "v") {
    const auto done = on.get(detail::put(on.tree, ns, std::move(key), std::move(value)));
    ASSERT_TRUE(done) << done.error().to_string();
  }
  bool remove(Gateway& on, std::string key) {
    const auto done = on.get(detail::remove(on.tree, ns, std::move(key)));
    EXPECT_TRUE(done) << done.error().to_string();
    return done && *done;
  }
  std::string value(Gateway& on, std::string key) {
    const auto found = on.get(detail::get(on.tree, ns, std::move(key)));
    EXPECT_TRUE(found) << found.error().to_string();
    return found ? found->value_or("none") : "error";
  }
  std::vector<std::string> all_keys(Gateway& on) { return *on.get(list(on.tree, ns)); }
  NamespacePtr context() { return *one.get(one.tree.namespaces().get(ns)); }
  TreeCheck check() { return {world.shards, context()}; }
  /// Lets the work in the background end.
  void settle() { world.loop.run_for(std::chrono::seconds(1)); }

  MemoryWorld world;
  Gateway one{world, small_leaves}, other{world, small_leaves};
  NamespaceId ns = one.make_namespace("bucket");
};

TEST_F(TreeTest, objects_stand_under_the_directories_of_their_keys) {
  for (const auto* key : {"a", "a/", "a/b", "a//b", "/", "x/y/z/w"}) put(one, key, key);
  for (const auto* key : {"a", "a/", "a/b", "a//b", "/", "x/y/z/w"}) EXPECT_EQ(value(other, key), key);
  EXPECT_EQ(value(one, "x/y/z"), "none");
  EXPECT_EQ(value(one, "x/nothing/here"), "none");
  EXPECT_EQ(all_keys(one), (std::vector<std::string>{"/", "a", "a/", "a//b", "a/b", "x/y/z/w"}));
  settle();
  expect_swept(check());
}

TEST_F(TreeTest, lists_are_in_byte_order_across_leaves) {
  std::vector<std::string> all;
  for (const auto* head : {"a", "a-b", "a.b", "a0", "b"}) {
    for (int i = 0; i < 30; ++i) {
      all.push_back(head + std::to_string(i));
      all.push_back(std::string(head) + "/" + std::to_string(i));
    }
  }
  for (const auto& key : all) put(one, key);
  std::ranges::sort(all);
  EXPECT_EQ(all_keys(one), all);
  EXPECT_EQ(all_keys(other), all);
  settle();
  expect_swept(check());
  EXPECT_GT(check().leaves(), 20U);
}

TEST_F(TreeTest, a_large_directory_gets_a_deep_index_and_finds_everything) {
  constexpr int count = 1500;
  const auto name = [](int i) { return std::to_string(i * 7919 % count); };
  for (int i = 0; i < count; ++i) put(i % 2 == 0 ? one : other, name(i), name(i));
  settle();
  expect_swept(check());
  EXPECT_GE(check().index_height(), 2U);
  Gateway fresh(world, small_leaves);
  for (int i = 0; i < count; i += 13) EXPECT_EQ(value(fresh, name(i)), name(i));
}

TEST_F(TreeTest, finds_everything_without_its_index_and_mends_it) {
  for (int i = 0; i < 300; ++i) put(one, std::to_string(i));
  settle();
  for (auto row : world.shards.rows(shard::Kind::index_page)) {
    const auto root = IndexPage{}.encode();
    if (row.key.item != std::string(9, '\0')) continue;
    Gateway mending(world, small_leaves);
    row.record = {};
    seal(world.rng, *context()->keys, row.key, row.record, as_view(root));
    row.record.version = Stamp(1);
    world.shards.overwrite(row);
  }
  Gateway fresh(world, small_leaves);
  for (int i = 0; i < 300; ++i) EXPECT_EQ(value(fresh, std::to_string(i)), "v");
  settle();
  IndexTree index(200);
  for (const auto& row : world.shards.rows(shard::Kind::index_page)) {
    if (row.key.item != std::string(9, '\0')) continue;
    const auto bytes = unseal(*context()->keys, row.key, row.record);
    EXPECT_FALSE(IndexPage::decode(as_view(*bytes))->children.empty());
  }
}

TEST_F(TreeTest, stale_routes_of_another_instance_are_mended) {
  put(other, "5");
  for (int i = 0; i < 100; ++i) put(one, std::to_string(i));
  settle();
  for (int i = 0; i < 100; ++i) put(other, std::to_string(i) + "x");
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(remove(one, std::to_string(i)));
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(remove(one, std::to_string(i) + "x"));
  settle();
  ASSERT_TRUE(sweep_all(one));
  // The leaves that `other` remembers have been dropped.
  EXPECT_EQ(check().leaves(), 2U);
  for (int i = 0; i < 100; i += 3) put(other, std::to_string(i), "again");
  for (int i = 0; i < 100; ++i) EXPECT_EQ(value(other, std::to_string(i)), i % 3 == 0 ? "again" : "none");
  settle();
  expect_well_formed(check());
}

TEST_F(TreeTest, empty_leaves_and_implicit_directories_go) {
  for (int i = 0; i < 60; ++i) put(one, "deep/er/" + std::to_string(i));
  put(one, "stays");
  for (int i = 0; i < 60; ++i) EXPECT_TRUE(remove(one, "deep/er/" + std::to_string(i)));
  settle();
  ASSERT_TRUE(sweep_all(one));
  expect_swept(check());
  EXPECT_EQ(check().leaves(), 2U);
  EXPECT_EQ(world.shards.count(shard::Kind::tombstone), 0U);
  EXPECT_EQ(world.shards.count(shard::Kind::index_page), 0U);
  // A cached directory that has gone leads nowhere wrong.
  EXPECT_EQ(value(one, "deep/er/1"), "none");
  EXPECT_EQ(value(other, "deep/er/1"), "none");
  put(other, "deep/er/1", "new");
  EXPECT_EQ(value(one, "deep/er/1"), "new");
}

TEST_F(TreeTest, tombstones_stay_a_day) {
  for (int i = 0; i < 40; ++i) put(one, std::to_string(i));
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(remove(one, std::to_string(i)));
  Scope scope(world.loop.executor());
  world.loop.spawn(one.sweeper.run(scope));
  world.loop.run_for(std::chrono::hours(1));
  EXPECT_GT(world.shards.count(shard::Kind::tombstone), 0U);
  EXPECT_EQ(check().leaves(), 2U);
  world.loop.run_for(std::chrono::hours(25));
  EXPECT_EQ(world.shards.count(shard::Kind::tombstone), 0U);
  EXPECT_EQ(world.shards.count(shard::Kind::feed), 0U);
  world.loop.get(scope.stop());
  settle();
}

TEST_F(TreeTest, full_leaves_are_split_by_whoever_wants_to_create) {
  MemoryWorld full(3, {.shards = 4, .entries_max = 6});
  const TreeLimits late{.entries_split = 5};
  Gateway on(full, late);
  const auto bucket = on.make_namespace("bucket");
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(on.get(detail::put(on.tree, bucket, std::to_string(i), "v"))) << i;
  }
  full.loop.run_for(std::chrono::seconds(1));
  expect_swept(TreeCheck(full.shards, *on.get(on.tree.namespaces().get(bucket))));
}

TEST_F(TreeTest, leaves_that_names_rise_through_stay_nearly_full) {
  constexpr int leaf = 64, keys = 1024;
  const TreeLimits limits{.entries_split = leaf};
  const auto leaves_after = [&](auto name) {
    MemoryWorld fresh(3, {.shards = 4});
    Gateway on(fresh, limits);
    const auto bucket = on.make_namespace("bucket");
    for (const auto* key : {"a", "z"}) EXPECT_TRUE(on.get(detail::put(on.tree, bucket, key, "v")));
    for (int i = 0; i < keys; ++i) {
      EXPECT_TRUE(on.get(detail::put(on.tree, bucket, fmt::format("m{:05}", name(i)), "v")));
    }
    fresh.loop.run_for(std::chrono::seconds(1));
    const TreeCheck check(fresh.shards, *on.get(on.tree.namespaces().get(bucket)));
    expect_swept(check);
    return check.leaves();
  };
  EXPECT_LE(leaves_after([](int i) { return i; }), 1.25 * keys / leaf);
  // Two such streams part at the first split between them.
  EXPECT_LE(leaves_after([](int i) { return i % 2 * keys + i / 2; }), 1.25 * keys / leaf + 1);
  EXPECT_LE(leaves_after([](int i) { return i * 379 % keys; }), 2.0 * keys / leaf);
}

TEST_F(TreeTest, an_entry_of_another_name_under_a_token_is_corrupted) {
  put(one, "name", "value");
  auto slot = one.get(one.tree.find(ns, "name", Purpose::write));
  ASSERT_TRUE(slot && slot->record);
  auto transaction = one.tree.begin(*slot);
  shard::Record record = *slot->record;
  EntrySlot other_name = *slot;
  other_name.name = "another";
  one.tree.seal_entry(other_name, record, slot->value);
  transaction.put(slot->key, record);
  ASSERT_TRUE(one.get(one.tree.commit(*slot, std::move(transaction)))->committed());
  EXPECT_EQ(other.get(other.tree.find(ns, "name", Purpose::read)).error().code(), Errc::corrupted);
}

TEST_F(TreeTest, a_frozen_leaf_is_finished_by_the_next_writer) {
  for (int i = 0; i < 7; ++i) put(one, std::to_string(i));
  auto directory = one.get(one.tree.open(ns, root_directory));
  // As a crash after the first of a split's two commits leaves it.
  for (auto row : world.shards.rows(shard::Kind::guard)) {
    if (row.key.leaf != directory->leaf(LeafId{})) continue;
    auto guard = *open_guard(*context(), row.key.leaf, row.record);
    guard.frozen = true;
    const auto version = row.record.version;
    row.record = make_guard(world.rng, *context(), row.key.leaf, guard);
    row.record.version = Stamp(version.value() + 1);
    world.shards.overwrite(row);
  }
  EXPECT_EQ(value(other, "3"), "v");
  put(other, "3", "changed");
  EXPECT_EQ(value(one, "3"), "changed");
  settle();
  expect_swept(check());
}

TEST_F(TreeTest, chains_that_lose_the_race_leave_nothing) {
  int done = 0;
  const auto one_put = [](Gateway& on, NamespaceId in, std::string key, int& count) -> Task<> {
    EXPECT_TRUE(co_await detail::put(on.tree, in, std::move(key), "v"));
    ++count;
  };
  for (int i = 0; i < 10; ++i) {
    world.loop.spawn(one_put(i % 2 == 0 ? one : other, ns, "new/dir/" + std::to_string(i), done));
  }
  settle();
  EXPECT_EQ(done, 10);
  EXPECT_EQ(all_keys(one).size(), 10U);
  ASSERT_TRUE(sweep_all(one));
  expect_swept(check());
  EXPECT_EQ(world.shards.count(shard::Kind::header), 6U);  // two spaces with two roots; new, dir
}

TEST_F(TreeTest, directories_made_ahead_go_when_nothing_comes) {
  const auto slot = one.get(one.tree.find(ns, "p/q/r", Purpose::write_linked));
  ASSERT_TRUE(slot) << slot.error().to_string();
  EXPECT_FALSE(slot->record);
  EXPECT_FALSE(slot->chain);
  EXPECT_EQ(check().leaves(), 4U);
  settle();
  ASSERT_TRUE(sweep_all(one));
  expect_swept(check());
  EXPECT_EQ(check().leaves(), 2U);
  const auto again = one.get(detail::put(one.tree, ns, "p/q/r", "v", Purpose::write_linked));
  ASSERT_TRUE(again);
  settle();
  ASSERT_TRUE(sweep_all(one));
  EXPECT_EQ(value(other, "p/q/r"), "v");
}

TEST_F(TreeTest, a_chain_whose_maker_died_goes_where_it_is_empty_whatever_came_beside_it) {
  const auto fate = std::make_shared<MemoryShards::Fate>();
  Gateway dying(world, small_leaves, fate);
  ASSERT_TRUE(dying.get(detail::get(dying.tree, ns, "x")));
  fate->commits_left = 3;  // an id lease, the directories, their link
  EXPECT_FALSE(dying.get(dying.tree.find(ns, "p/q/r/s", Purpose::write_linked)));
  put(other, "p/beside");
  put(other, "p/q/beside");
  world.shards.fence(dying.client->session());
  settle();
  ASSERT_TRUE(sweep_all(one));
  expect_swept(check());
  EXPECT_EQ(all_keys(one), (std::vector<std::string>{"p/beside", "p/q/beside"}));
  EXPECT_EQ(check().leaves(), 4U);  // two roots, p, q
}

TEST_F(TreeTest, only_directories_with_objects_below_are_visible) {
  put(one, "full/deep/er/object");
  const auto made = one.get(one.tree.find(ns, "empty/deep/er/object", Purpose::write_linked));
  ASSERT_TRUE(made);
  const auto root = one.get(one.tree.open(ns, root_directory));
  const auto leaf = one.get(one.tree.read_leaf(*root, ""));
  ASSERT_EQ(leaf->entries.size(), 2U);
  const auto shown =
      one.get(one.tree.visible(context(), {leaf->entries[0].record.id, leaf->entries[1].record.id}));
  EXPECT_EQ(*shown, (std::vector<bool>{false, true}));
}

TEST_F(TreeTest, damaged_rows_are_corrupted_not_absent) {
  put(one, "x");
  auto rows = world.shards.rows(shard::Kind::entry);
  for (auto& row : rows) {
    if (row.key.leaf.ns != ns) continue;
    std::string bytes(as_text(row.record.value.view()));
    bytes[3] ^= 1;
    row.record.value = crypto::Sealed::from_store(bytes);
    world.shards.overwrite(row);
  }
  Gateway fresh(world);
  EXPECT_EQ(fresh.get(detail::get(fresh.tree, ns, "x")).error().code(), Errc::corrupted);
  EXPECT_EQ(fresh.get(list(fresh.tree, ns)).error().code(), Errc::corrupted);
}

}  // namespace
}  // namespace kiseki::fs::detail
