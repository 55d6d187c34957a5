#include <gtest/gtest.h>
#include <set>

#include "base/planted.h"
#include "shard/rows/families.h"
#include "shard/rows/state_rows.h"
#include "shard/testing/shard_world.h"

// What deleted namespaces have left goes, and nothing else does (PROTOCOLS 3.9).

namespace kiseki::shard::detail {
namespace {

using Type = Assert::Type;

const NamespaceId living{test_namespace.value() + 1};
constexpr Kind kinds[] = {Kind::header,      Kind::guard,    Kind::tombstone,  Kind::pending, Kind::entry,
                          Kind::inline_data, Kind::map_page, Kind::index_page, Kind::upload,  Kind::part};

Record with_chunk(std::uint64_t number) {
  Record record;
  ChunkReference reference{};
  reference.id[0] = static_cast<std::byte>(number);
  reference.format.block_units = 1;
  reference.length = 10;
  record.references.push_back(reference);
  return record;
}

class World {
 public:
  explicit World(std::uint32_t shards) : world_(shards), user_(&world_.connect(1)) {}

  ShardWorld& world() { return world_; }

  LeafAddress leaf(NamespaceId ns, std::size_t shard, std::uint64_t nth = 0) const {
    LeafAddress leaf = world_.leaf_in(shard, nth);
    leaf.ns = ns;
    return leaf;
  }
  bool commit(Transaction transaction, NamespaceId ns) {
    transaction.namespaces.push_back({.ns = ns, .epoch = 1});
    const auto outcome = world_.loop().get(user_->session->commit(std::move(transaction)));
    EXPECT_TRUE(outcome) << outcome.error().to_string();
    return outcome && outcome->committed();
  }
  /// A row of every kind, also in the feeds.
  void fill(const LeafAddress& leaf) {
    Transaction transaction;
    for (const auto kind : kinds) {
      const bool is_single = kind == Kind::header || kind == Kind::guard || kind == Kind::tombstone;
      const Key row = key(leaf, kind, is_single ? "" : kind == Kind::pending ? item_of(1) : item_of(7));
      Record record = kind == Kind::entry || kind == Kind::map_page ? with_chunk(leaf.ns.value()) : Record{};
      if (kind == Kind::guard) record.guard.emplace();
      transaction.require(Type::absent, row).put(row, std::move(record));
    }
    transaction.put_stamped(key(leaf, Kind::garbage, item_of(7)), {});
    transaction.put_stamped(key(leaf, Kind::feed, std::string(1, '\x02')), {});
    EXPECT_TRUE(commit(std::move(transaction), leaf.ns));
  }
  void remove_namespace(NamespaceId ns) {
    for (const auto state : {NamespaceState::deleting, NamespaceState::deleted}) {
      ASSERT_TRUE(world_.loop().get(user_->session->configure(ns, 2, state)));
    }
  }
  void sweep(int times = 60) {
    for (int i = 0; i < times; ++i) world_.sweep();
  }
  void restart() {
    world_.crash(1);
    user_ = &world_.connect(1);
  }

  std::size_t rows_of(NamespaceId ns) {
    std::size_t count = 0;
    for (const auto family : {family_rows, family_feeds}) {
      kv::KvStore& store = world_.store();
      const auto rows = store.iterate(family, {.from = {}, .to = {}});
      for (rows->seek({}); rows->valid(); rows->next()) {
        if (Key::decode(rows->key())->leaf.ns == ns) ++count;
      }
    }
    return count;
  }
  std::size_t references_of(NamespaceId ns) {
    std::size_t count = 0;
    kv::KvStore& store = world_.store();
    const auto rows = store.iterate(family_references, {.from = {}, .to = {}});
    for (rows->seek({}); rows->valid(); rows->next()) {
      const bool is_live = rows->key()[0] == static_cast<std::byte>(Kind::reference);
      if (is_live && rows->key()[1] == static_cast<std::byte>(ns.value())) ++count;
    }
    return count;
  }

 private:
  ShardWorld world_;
  MortalSession* user_;
};

std::string one_goes_another_stays() {
  World world(3);
  for (const auto ns : {test_namespace, living}) {
    for (std::size_t shard = 1; shard <= 3; ++shard) {
      for (std::uint64_t nth = 0; nth < 4; ++nth) world.fill(world.leaf(ns, shard, nth));
    }
  }
  const auto stays = world.rows_of(living);
  world.sweep();
  if (world.rows_of(test_namespace) != stays) return "rows went before their namespace";
  world.remove_namespace(test_namespace);
  world.sweep();
  if (world.rows_of(living) != stays) return "rows of a living namespace went";
  if (world.rows_of(test_namespace) > 0) return "rows of a deleted namespace stay";
  if (world.references_of(test_namespace) > 0) return "its references stay";
  return world.references_of(living) == 24 ? "" : "references of another went";
}

TEST(DeletedRows, go_with_their_namespace) { EXPECT_EQ(one_goes_another_stays(), ""); }

TEST(DeletedRows, are_erased_by_the_node_and_never_written) {
  World world(1);
  const auto leaf = world.leaf(test_namespace, 1);
  world.fill(leaf);
  world.remove_namespace(test_namespace);
  const auto propose = [&](Transaction transaction) {
    transaction.namespaces.push_back({.ns = test_namespace, .epoch = 2});
    Proposal proposal{.stamp = {}, .body = Commit::of_node(std::move(transaction))};
    return world.world().loop().get(world.world().shard(1).ask(ProposeRequest(std::move(proposal))));
  };
  const Key old = key(leaf, Kind::inline_data, item_of(7)), fresh = key(leaf, Kind::inline_data, item_of(8));
  Transaction write;
  write.require(Type::absent, fresh).put(fresh, {});
  EXPECT_EQ(propose(std::move(write))->outcome.refusal, Refusal::deleted);
  Transaction both;
  both.require(Type::absent, fresh).erase(old).put(fresh, {});
  EXPECT_EQ(propose(std::move(both))->outcome.refusal, Refusal::deleted);
  Transaction erase;
  erase.erase(old);
  EXPECT_TRUE(propose(std::move(erase))->outcome.committed());
}

TEST(DeletedRows, that_come_with_a_snapshot_after_the_look_go_too) {
  World world(1);
  world.remove_namespace(test_namespace);
  world.sweep();
  kv::KvStore& store = world.world().store();
  kv::Batch batch;
  const Key row = key(world.leaf(test_namespace, 1), Kind::inline_data, item_of(7));
  batch.put(family_rows, row.encode(), Record{}.encode());
  ASSERT_TRUE(store.write(batch));
  auto installed = Machine::open(store, ShardId(1));
  ASSERT_TRUE(installed);
  ASSERT_TRUE(world.world().shard(1).restore(std::move(*installed)));
  world.sweep();
  EXPECT_EQ(world.rows_of(test_namespace), 0U);
}

TEST(DeletedRows, go_though_they_are_many_and_the_node_dies) {
  World world(2);
  const auto leaf = world.leaf(test_namespace, 1);
  world.fill(leaf);
  for (std::uint64_t i = 0; i < 3; ++i) {
    Transaction transaction;
    for (std::uint64_t j = 0; j < DeletedRowsScan::rows_max; ++j) {
      const Key row = key(leaf, Kind::entry, item_of(1000 * (i + 1) + j));
      transaction.require(Type::absent, row).put(row, {});
    }
    ASSERT_TRUE(world.commit(std::move(transaction), test_namespace));
  }
  world.remove_namespace(test_namespace);
  world.sweep(2);
  EXPECT_GT(world.rows_of(test_namespace), DeletedRowsScan::rows_max);
  world.restart();
  world.sweep();
  EXPECT_EQ(world.rows_of(test_namespace), 0U);
}

TEST(DeletedRows, of_the_next_namespace_go_too) {
  World world(2);
  world.remove_namespace(NamespaceId(77));
  world.fill(world.leaf(test_namespace, 1));
  world.fill(world.leaf(living, 1));
  world.sweep();
  world.remove_namespace(test_namespace);
  world.sweep(1);
  world.remove_namespace(living);
  world.sweep();
  EXPECT_EQ(world.rows_of(test_namespace) + world.rows_of(living), 0U);
}

TEST(DeletedRows, under_a_legal_hold_stay_with_their_leaf) {
  World world(1);
  const auto leaf = world.leaf(test_namespace, 1);
  world.fill(leaf);
  Transaction transaction;
  Record held;
  held.retention.legal_hold = true;
  const Key row = key(leaf, Kind::entry, item_of(99));
  transaction.require(Type::absent, row).put(row, held);
  ASSERT_TRUE(world.commit(std::move(transaction), test_namespace));
  world.remove_namespace(test_namespace);
  world.sweep();
  EXPECT_EQ(world.rows_of(test_namespace), 4U) << "entry, header, guard and counters";
}

class PlantedRemains : public testing::TestWithParam<const char*> {};

TEST_P(PlantedRemains, are_noticed) {
  const planted::Fault fault(GetParam());
  EXPECT_NE(one_goes_another_stays(), "");
  EXPECT_GT(fault.met(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Planted, PlantedRemains,
                         testing::Values("3.9 rows of deleted namespaces stay",
                                         "3.9 rows of living namespaces go"));

}  // namespace
}  // namespace kiseki::shard::detail
