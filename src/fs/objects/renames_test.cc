#include "fs/objects/renames.h"

#include "base/planted.h"
#include "fs/objects/tree_directories.h"
#include "fs/testing/tree_world.h"

namespace kiseki::fs::detail {
namespace {

class RenamesTest : public testing::Test {
 public:
  void put(Gateway& on, std::string key, std::uint64_t seed = 1, Bytes size = 700) {
    PatternSource source(seed, size);
    const auto done = on.get(on.objects.put(ns, std::move(key), source, {}));
    ASSERT_TRUE(done) << done.error().to_string();
  }
  static std::string words(const Result<>& result) {
    return result ? "ok" : std::string(name_of(result.error().code()));
  }
  std::string make(Gateway& on, std::string path) {
    return words(on.get(TreeDirectories(on.tree).make(ns, std::move(path))));
  }
  std::string remove(Gateway& on, std::string path) {
    return words(on.get(TreeDirectories(on.tree).remove(ns, std::move(path))));
  }
  std::string rename(Gateway& on, std::string from, std::string to) {
    return words(on.get(detail::rename(on.tree, ns, std::move(from), std::move(to))));
  }
  bool stands(Gateway& on, std::string key) {
    return on.get(on.objects.stat(ns, std::move(key))).has_value();
  }
  NamespacePtr context() { return *one.get(one.tree.namespaces().get(ns)); }
  TreeCheck check() { return {world.shards, context()}; }

  /// A gateway that dies after so many commits, does `work`, and is fenced.
  template <class Work>
  void die_after(std::uint64_t commits, Work work) {
    const auto fate = std::make_shared<MemoryShards::Fate>();
    fate->commits_left = commits;
    Gateway dying(world, small_leaves, fate);
    work(dying);
    world.loop.run_for(std::chrono::seconds(1));
    world.shards.fence(dying.client->session());
  }

  MemoryWorld world;
  Gateway one{world, small_leaves}, other{world, small_leaves};
  NamespaceId ns = one.make_namespace("bucket");
};

TEST_F(RenamesTest, directories_that_were_made_stay_when_they_are_empty) {
  EXPECT_EQ(make(one, "a"), "ok");
  EXPECT_EQ(make(other, "a"), "exists");
  EXPECT_EQ(make(one, "a/b/"), "ok");
  EXPECT_EQ(make(one, "x/y"), "not_found");
  put(one, "file");
  EXPECT_EQ(make(one, "file"), "exists");
  EXPECT_EQ(make(one, "file/x"), "not_directory");
  EXPECT_EQ(make(one, "a//b"), "invalid_argument");
  EXPECT_EQ(make(one, ".."), "invalid_argument");
  put(one, "a/b/c");
  EXPECT_TRUE(one.get(one.objects.remove(ns, "a/b/c", {})));
  ASSERT_TRUE(sweep_all(one));
  EXPECT_EQ(check().directories(), (std::set<std::string>{"a", "a/b"}));
  EXPECT_EQ(remove(one, "a"), "not_empty");
  EXPECT_EQ(remove(one, "file"), "not_directory");
  EXPECT_EQ(remove(other, "a/b"), "ok");
  EXPECT_EQ(remove(other, "a"), "ok");
  EXPECT_EQ(remove(one, "a"), "not_found");
  ASSERT_TRUE(sweep_all(one));
  expect_swept(check());
}

TEST_F(RenamesTest, what_nobody_sees_is_in_nobodys_way) {
  put(one, "a/b/c");
  EXPECT_TRUE(one.get(one.objects.remove(ns, "a/b/c", {})));
  EXPECT_EQ(remove(one, "a/b"), "not_found");
  EXPECT_EQ(make(one, "a/b"), "not_found");
  EXPECT_EQ(make(one, "a"), "ok");
  put(one, "x/y");
  EXPECT_TRUE(one.get(one.objects.remove(ns, "x/y", {})));
  put(one, "file");
  EXPECT_EQ(rename(one, "file", "x"), "ok");
  EXPECT_EQ(remove(one, "a"), "ok");
  ASSERT_TRUE(sweep_all(one));
  expect_swept(check());
}

TEST_F(RenamesTest, a_directory_takes_along_what_is_below) {
  for (int i = 0; i < 30; ++i) put(one, "a/deep/" + std::to_string(i));
  EXPECT_TRUE(stands(other, "a/deep/7"));
  EXPECT_EQ(make(one, "into"), "ok");
  EXPECT_EQ(rename(one, "a", "into/b"), "ok");
  // Another gateway remembers the old way.
  EXPECT_FALSE(stands(other, "a/deep/7"));
  EXPECT_TRUE(stands(other, "into/b/deep/7"));
  put(other, "a/deep/7", 2);
  EXPECT_EQ(rename(one, "into", "into/b/deep/x"), "invalid_argument");
  EXPECT_EQ(rename(one, "into/b", "into"), "not_empty");
  EXPECT_EQ(rename(one, "into/b/deep/3", "into/b/deep/4"), "ok");
  EXPECT_EQ(rename(one, "into/b/deep/4", "into/b"), "is_directory");
  EXPECT_EQ(rename(one, "into/b/deep", "a/deep/7"), "not_directory");
  EXPECT_EQ(rename(one, "none", "x"), "not_found");
  EXPECT_EQ(rename(one, "into", "into"), "ok");
  world.loop.run_for(std::chrono::seconds(1));
  ASSERT_TRUE(sweep_all(one));
  expect_swept(check());
  EXPECT_EQ(check().objects().size(), 30U);
  EXPECT_EQ(world.shards.count(shard::Kind::inline_data), 30U);
}

Task<> put_between(Gateway& on, NamespaceId ns) {
  for (int i = 0; i < 6; ++i) {
    EXPECT_TRUE(co_await detail::put(on.tree, ns, "b" + std::to_string(i), "value"));
  }
}

/// The leaf splits between any two calls of the rename.
TEST_F(RenamesTest, an_object_is_the_same_under_its_new_name) {
  for (const Bytes size : {Bytes{100}, Bytes{10'000}, Bytes{100'000}}) {
    put(one, "from", size, size);
    const auto slot = one.get(one.tree.find(ns, "from", Purpose::write));
    ASSERT_TRUE(slot && slot->record);
    shard::Record held = *slot->record;
    held.retention = {shard::Retention::Mode::governance, 1, false};
    one.tree.seal_entry(*slot, held, slot->value);
    auto transaction = one.tree.begin(*slot);
    transaction.put(slot->key, held);
    ASSERT_TRUE(one.get(one.tree.commit(*slot, std::move(transaction)))->committed());
    EXPECT_EQ(rename(one, "from", "to"), "ok");
    const auto there = one.get(one.tree.find(ns, "to", Purpose::read));
    ASSERT_TRUE(there && there->record);
    const shard::Record& now = *there->record;
    EXPECT_EQ(std::tie(now.id, now.home, now.type, now.body, now.logical, now.stored, now.retention),
              std::tie(held.id, held.home, held.type, held.body, held.logical, held.stored, held.retention));
    const auto object = one.get(one.objects.open(ns, "to"));
    ASSERT_TRUE(object);
    const auto bytes = one.get((*object)->read(0, size));
    ASSERT_TRUE(bytes) << bytes.error().to_string();
    EXPECT_TRUE(PatternSource::matches(size, 0, bytes->view()));
  }
}

TEST(Renames, onto_the_same_name_changes_nothing) {
  for (const std::string name : {"file", "directory"}) {
    bool happened = true;
    for (std::uint64_t call = 0; happened; ++call) {
      MemoryWorld world;
      Gateway other(world, small_leaves);
      auto client = std::make_unique<Interrupted>(world.shards.connect());
      Interrupted& calls = *client;
      Gateway one(world, std::move(client), small_leaves);
      const NamespaceId ns = one.make_namespace("bucket");
      for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(one.get(detail::put(one.tree, ns, "a" + std::to_string(i), "value")));
      }
      ASSERT_TRUE(one.get(detail::put(one.tree, ns, "file", "value")));
      ASSERT_TRUE(one.get(TreeDirectories(one.tree).make(ns, "directory")));
      calls.before(call, [&] { return put_between(other, ns); });
      const auto renamed = one.get(rename(one.tree, ns, name, name));
      EXPECT_TRUE(renamed) << name << ", call " << call << ": " << renamed.error().to_string();
      happened = calls.happened();
      EXPECT_EQ(one.get(detail::get(one.tree, ns, "file")), "value");
      EXPECT_TRUE(one.get(TreeDirectories(one.tree).stat(ns, "directory")));
    }
  }
}

TEST_F(RenamesTest, attributes_are_the_sum_over_the_leaves) {
  EXPECT_EQ(make(one, "d"), "ok");
  for (int i = 0; i < 40; ++i) put(one, "d/" + std::to_string(i), 1, 10);
  EXPECT_EQ(make(one, "d/sub"), "ok");
  world.loop.run_for(std::chrono::seconds(1));
  const auto found = other.get(TreeDirectories(other.tree).stat(ns, "d"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->entries, 41U);
  EXPECT_EQ(found->subdirectories, 1U);
  EXPECT_EQ(found->logical, 400U);
  EXPECT_TRUE(found->is_explicit);
  EXPECT_GT(check().leaves(), 4U);
}

TEST_F(RenamesTest, a_split_that_was_begun_is_finished_by_whoever_lists) {
  for (std::uint64_t commits = 1; commits < 40; ++commits) {
    die_after(commits, [&](Gateway& on) {
      for (int i = 0; i < 12; ++i) {
        PatternSource source(1, 5);
        (void)on.get(on.objects.put(ns, std::to_string(commits) + "-" + std::to_string(i), source, {}));
      }
    });
    ASSERT_TRUE(one.get(list_objects(one.tree, ns, {})));
    world.loop.run_for(std::chrono::seconds(1));
    expect_swept(check());
  }
}

/// A directory is made, and its maker dies before the pending row goes; then it is renamed, and swept.
TEST_F(RenamesTest, a_renamed_directory_is_not_taken_for_one_that_was_never_linked) {
  std::uint64_t commits = 1;
  while (!HasFailure()) {
    const std::string from = "from" + std::to_string(commits), to = "to" + std::to_string(commits);
    std::string made;
    die_after(commits++, [&](Gateway& on) { made = make(on, from); });
    if (rename(one, from, to) == "ok") put(one, to + "/kept");
    ASSERT_TRUE(sweep_all(other));
    EXPECT_TRUE(check().directories().contains(to) == stands(other, to + "/kept"));
    expect_swept(check());
    if (made == "ok") break;
    ASSERT_LT(commits, 20U);
  }
}

/// The writer of a long map dies between any two commits; what it wrote is renamed, and swept.
std::string sweep_long_maps() {
  constexpr Bytes size = 34_MiB;  // more than eight pieces
  MemoryWorld world;
  Gateway one(world);
  const NamespaceId ns = one.make_namespace("bucket");
  world.device.keep_no_bytes();
  for (std::uint64_t commits = 1; commits < 20; ++commits) {
    bool done = false;
    {
      const auto fate = std::make_shared<MemoryShards::Fate>();
      fate->commits_left = commits;
      Gateway dying(world, {}, fate);
      PatternSource source(commits, size);
      done = dying.get(dying.objects.put(ns, "long", source, {})).has_value();
      world.loop.run_for(std::chrono::seconds(1));
      world.shards.fence(dying.client->session());
    }
    const bool stands = one.get(one.objects.stat(ns, "long")).has_value();
    if (stands && !one.get(rename(one.tree, ns, "long", "renamed"))) return "rename failed";
    if (!sweep_all(one)) return "sweep failed";
    if (world.shards.count(shard::Kind::map_page) != (stands ? 1U : 0U)) return "the wrong pages went";
    if (world.shards.count(shard::Kind::pending) != 0) return "a pending row is left over";
    if (stands && done) return {};
    if (stands && !one.get(one.objects.remove(ns, "renamed", {}))) return "remove failed";
    if (!sweep_all(one)) return "sweep failed";
  }
  return "the writer never came to its end";
}

TEST(LongMaps, are_swept_exactly_when_nothing_names_them) { EXPECT_EQ(sweep_long_maps(), ""); }

TEST(LongMaps, a_pending_row_that_outlives_the_link_is_noticed) {
  const planted::Fault fault("2.6 the pending row of a map outlives its link");
  EXPECT_NE(sweep_long_maps(), "");
  EXPECT_GT(fault.met(), 0U);
}

}  // namespace
}  // namespace kiseki::fs::detail
