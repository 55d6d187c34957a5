#include "fs/namespaces/tree_namespaces.h"

#include "fs/file_system.h"
#include "fs/namespaces/namespace_rows.h"
#include "fs/testing/tree_world.h"

namespace kiseki::fs::detail {
namespace {

class NamespacesTest : public testing::Test {
 public:
  Errc remove_error(Gateway& on, std::string name) {
    const auto removed = on.get(on.namespaces.remove(world.tenant, std::move(name)));
    return removed ? Errc{} : removed.error().code();
  }
  std::vector<std::string> names(Gateway& on) {
    std::vector<std::string> found;
    for (const auto& ns : *on.get(on.namespaces.list(world.tenant))) found.push_back(ns.name);
    return found;
  }
  /// What a namespace leaves: its row alone.
  std::size_t rows_of(NamespaceId ns) const {
    std::size_t count = 0;
    for (const auto& [name, row] : world.shards.all()) count += row.key.leaf.ns == ns ? 1 : 0;
    return count;
  }
  void settle() { world.loop.run_for(std::chrono::seconds(2)); }

  MemoryWorld world;
  Gateway one{world, small_leaves}, other{world, small_leaves};
};

TEST_F(NamespacesTest, are_found_by_their_names) {
  const auto made = one.get(one.namespaces.create(world.tenant, "bucket", {}));
  ASSERT_TRUE(made);
  EXPECT_EQ(made->name, "bucket");
  const auto found = other.get(other.namespaces.find(world.tenant, "bucket"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->id, made->id);
  EXPECT_EQ(found->created_ms, made->created_ms);
  EXPECT_EQ(other.get(other.namespaces.create(world.tenant, "bucket", {})).error().code(), Errc::exists);
  EXPECT_EQ(other.get(other.namespaces.find(world.tenant, "bucke")).error().code(), Errc::not_found);
  EXPECT_EQ(one.get(one.namespaces.create(world.tenant, "No", {})).error().code(), Errc::invalid_argument);
  EXPECT_EQ(one.get(one.namespaces.find(TenantId(99), "bucket")).error().code(), Errc::not_found);
}

TEST_F(NamespacesTest, that_have_gone_are_recalled_and_hold_nothing) {
  const auto ns = one.make_namespace("bucket");
  EXPECT_EQ(other.get(other.namespaces.recall(world.tenant, "bucket"))->id, ns);
  EXPECT_FALSE(other.get(other.objects.stat(ns, "k")));
  ASSERT_TRUE(one.get(one.namespaces.remove(world.tenant, "bucket")));
  EXPECT_EQ(other.get(other.namespaces.recall(world.tenant, "bucket"))->id, ns);
  for (const auto* key : {"k", "a/b"}) {
    PatternSource source(1, 100);
    EXPECT_EQ(other.get(other.objects.put(ns, key, source, {})).error().code(), Errc::not_found);
    EXPECT_EQ(other.get(other.objects.stat(ns, key)).error().code(), Errc::not_found);
    EXPECT_EQ(other.get(other.objects.open(ns, key)).error().code(), Errc::not_found);
    EXPECT_EQ(other.get(other.objects.remove(ns, key, {})).error().code(), Errc::not_found);
  }
  EXPECT_EQ(other.get(other.namespaces.find(world.tenant, "bucket")).error().code(), Errc::not_found);
  EXPECT_EQ(other.get(other.namespaces.recall(world.tenant, "bucket")).error().code(), Errc::not_found);
  const auto again = one.make_namespace("bucket");
  EXPECT_EQ(other.get(other.namespaces.recall(world.tenant, "bucket"))->id, again);
}

TEST_F(NamespacesTest, of_two_tenants_never_have_the_same_name) {
  constexpr TenantId second{2};
  auto services = world.services(*one.client);
  const NamespaceId root = one.get(IdLeases(services).next_namespace()).value();
  const auto made = one.get(prepare_namespace(services, second, root));
  ASSERT_TRUE(made);
  shard::Transaction transaction;
  transaction.require(shard::Assert::Type::absent, tenant_key(second));
  transaction.put(tenant_key(second), system_record(TenantRow{.root = root}.encode()));
  add_namespace(services, transaction, *made->ns, made->descriptor);
  ASSERT_TRUE(one.get(one.client->commit(std::move(transaction)))->committed());

  one.make_namespace("bucket");
  EXPECT_EQ(other.get(other.namespaces.create(second, "bucket", {})).error().code(), Errc::denied);
  ASSERT_TRUE(one.get(one.namespaces.remove(world.tenant, "bucket")));
  EXPECT_TRUE(other.get(other.namespaces.create(second, "bucket", {})));
  EXPECT_EQ(one.get(one.namespaces.create(world.tenant, "bucket", {})).error().code(), Errc::denied);
}

TEST_F(NamespacesTest, are_listed_in_the_order_of_their_names) {
  for (const auto* name : {"bbb", "aaa", "aaa-b", "aaa.b", "ccc"}) one.make_namespace(name);
  for (int i = 0; i < 30; ++i) other.make_namespace("many" + std::to_string(i));
  auto found = names(one);
  EXPECT_EQ(found.size(), 35U);
  EXPECT_TRUE(std::ranges::is_sorted(found));
  settle();
}

TEST_F(NamespacesTest, with_an_object_stay_and_can_be_written_again) {
  const auto ns = one.make_namespace("bucket");
  ASSERT_TRUE(one.get(put(one.tree, ns, "a/b/c", "v")));
  EXPECT_EQ(remove_error(other, "bucket"), Errc::not_empty);
  EXPECT_TRUE(other.get(put(other.tree, ns, "d", "v")));
  EXPECT_TRUE(one.get(put(one.tree, ns, "e", "v")));
  settle();
}

Task<> put_late(Gateway& on, NamespaceId ns) { (void)co_await put(on.tree, ns, "late", "v"); }

TEST_F(NamespacesTest, that_stay_after_all_can_be_written_by_who_knew_them) {
  bool happened = true;
  for (std::uint64_t at = 0; happened; ++at) {
    const std::string name = "bucket" + std::to_string(at);
    const auto ns = one.make_namespace(name);
    ASSERT_TRUE(one.get(put(one.tree, ns, "warm", "v")));
    ASSERT_TRUE(one.get(remove(one.tree, ns, "warm")));
    auto client = std::make_unique<Interrupted>(world.shards.connect());
    Interrupted& calls = *client;
    Gateway removing(world, std::move(client), small_leaves);
    calls.before(at, [this, ns] { return put_late(other, ns); });
    const bool removed = removing.get(removing.namespaces.remove(world.tenant, name)).has_value();
    happened = calls.happened();
    calls.before(0, nullptr);
    const auto again = one.get(put(one.tree, ns, "again", "v"));
    EXPECT_EQ(again.has_value(), !removed) << at << " " << (again ? "" : again.error().to_string());
    if (!again) EXPECT_EQ(again.error().code(), Errc::not_found) << at;
    settle();
  }
}

TEST_F(NamespacesTest, leave_nothing_but_their_row) {
  const auto ns = one.make_namespace("bucket");
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(one.get(put(one.tree, ns, "a/b/" + std::to_string(i), "v")));
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(one.get(remove(one.tree, ns, "a/b/" + std::to_string(i))));
  ASSERT_TRUE(one.get(one.tree.find(ns, "made/ahead/x", Purpose::write_linked)));
  ASSERT_TRUE(one.get(one.uploads.create(ns, "some/key", {})));
  settle();
  EXPECT_EQ(remove_error(other, "bucket"), Errc{});
  EXPECT_EQ(rows_of(ns), 0U);
  EXPECT_TRUE(names(one).empty());
  EXPECT_EQ(remove_error(other, "bucket"), Errc::not_found);
  EXPECT_EQ(one.get(put(one.tree, ns, "x", "v")).error().code(), Errc::not_found);
  EXPECT_EQ(one.get(get(one.tree, ns, "x")).error().code(), Errc::not_found);
  EXPECT_NE(one.make_namespace("bucket"), ns);
}

TEST_F(NamespacesTest, refuse_late_writers_or_stay) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    MemoryWorld random(seed + 1);
    Gateway writing(random, small_leaves), removing(random, small_leaves);
    const auto ns = writing.make_namespace("bucket");
    std::optional<bool> written, removed;
    const auto write = [](Gateway& on, NamespaceId in, std::optional<bool>& done) -> Task<> {
      const auto made = co_await put(on.tree, in, "dir/object", "v");
      done = made.has_value();
    };
    const auto erase = [](Gateway& on, std::optional<bool>& done) -> Task<> {
      const auto gone = co_await on.namespaces.remove(on.world.tenant, "bucket");
      done = gone.has_value();
    };
    random.loop.spawn(write(writing, ns, written));
    random.loop.spawn(erase(removing, removed));
    ASSERT_TRUE(random.loop.run_until([&] { return written && removed; }));
    EXPECT_FALSE(*written && *removed) << "an acknowledged object went with its namespace, seed " << seed;
    if (*written) EXPECT_EQ(*writing.get(get(writing.tree, ns, "dir/object")), "v");
    random.loop.run_for(std::chrono::seconds(2));
  }
}

TEST_F(NamespacesTest, have_a_configuration_that_is_read_and_changed) {
  const auto made = one.get(one.namespaces.create(world.tenant, "bucket", {.region = "here"}));
  ASSERT_TRUE(made);
  auto now = other.get(other.namespaces.find_configuration(made->id));
  ASSERT_TRUE(now);
  EXPECT_EQ(now->configuration.region, "here");
  EXPECT_EQ(now->epoch, 1U);
  now->configuration.tags = {{"k", "v"}};
  EXPECT_EQ(*other.get(other.namespaces.configure(made->id, 1, now->configuration)), 2U);
  const auto changed = one.get(one.namespaces.find_configuration(made->id));
  EXPECT_EQ(changed->configuration, now->configuration);
  EXPECT_EQ(changed->epoch, 2U);
  EXPECT_EQ(one.get(one.namespaces.find_configuration(NamespaceId(99))).error().code(), Errc::not_found);
  Configuration large{.tags = {{"k", std::string(Configuration::size_max, 'v')}}};
  EXPECT_EQ(one.get(one.namespaces.configure(made->id, 2, large)).error().code(), Errc::too_large);
  ASSERT_TRUE(one.get(one.namespaces.remove(world.tenant, "bucket")));
  EXPECT_EQ(other.get(other.namespaces.configure(made->id, 2, {})).error().code(), Errc::not_found);
}

TEST_F(NamespacesTest, are_sealed_in_what_is_set_for_them) {
  const auto ns = one.make_namespace("bucket");
  ASSERT_TRUE(one.get(one.namespaces.configure(ns, 1, {.tags = {{"a-known-tag", "its-known-value"}}})));
  for (const auto& [name, row] : world.shards.all()) {
    const std::string bytes = row.record.encode();
    EXPECT_EQ(bytes.find("a-known-tag"), bytes.npos);
    EXPECT_EQ(bytes.find("its-known-value"), bytes.npos);
  }
}

TEST_F(NamespacesTest, of_two_who_change_a_configuration_one_is_told_of_a_conflict) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    MemoryWorld random(seed + 1);
    Gateway first(random, small_leaves), second(random, small_leaves);
    const auto ns = first.make_namespace("bucket");
    const auto set = [](Gateway& on, NamespaceId in, std::string tag, std::optional<Errc>& done) -> Task<> {
      const auto set = co_await on.namespaces.configure(in, 1, {.tags = {{std::move(tag), ""}}});
      done = set ? Errc{} : set.error().code();
    };
    std::optional<Errc> one_done, other_done;
    random.loop.spawn(set(first, ns, "first", one_done));
    random.loop.spawn(set(second, ns, "second", other_done));
    ASSERT_TRUE(random.loop.run_until([&] { return one_done && other_done; }));
    ASSERT_NE(*one_done == Errc{}, *other_done == Errc{}) << "seed " << seed;
    EXPECT_EQ(*one_done == Errc{} ? *other_done : *one_done, Errc::conflict);
    const auto now = second.get(second.namespaces.find_configuration(ns));
    EXPECT_EQ(now->epoch, 2U);
    EXPECT_EQ(now->configuration.tags.front().first, *one_done == Errc{} ? "first" : "second");
    EXPECT_TRUE(first.get(put(first.tree, ns, "k", "v")));
  }
}

TEST_F(NamespacesTest, whose_configuration_changed_are_read_again_by_who_reads_or_writes_there) {
  const auto ns = one.make_namespace("bucket");
  ASSERT_TRUE(other.get(put(other.tree, ns, "k", "v")));
  ASSERT_TRUE(one.get(one.namespaces.configure(ns, 1, {.tags = {{"k", "v"}}})));
  EXPECT_EQ(other.get(other.namespaces.recall_configuration(ns))->epoch, 1U) << "nothing told it yet";
  EXPECT_EQ(*other.get(get(other.tree, ns, "k")), "v");
  EXPECT_EQ(other.get(other.namespaces.recall_configuration(ns))->epoch, 2U) << "a read did";
  ASSERT_TRUE(one.get(one.namespaces.configure(ns, 2, {.tags = {{"k", "w"}}})));
  EXPECT_TRUE(other.get(put(other.tree, ns, "new/key", "v"))) << "refused once, then written under the new";
  EXPECT_EQ(other.get(other.namespaces.recall_configuration(ns))->epoch, 3U);
}

/// True when the process lived to the end.
bool dies_while_configuring(std::uint64_t commits, bool last_answer_lost) {
  MemoryWorld world(commits);
  Gateway before(world, small_leaves);
  const auto ns = before.make_namespace("bucket");
  EXPECT_TRUE(before.get(put(before.tree, ns, "k", "v")));
  const auto fate = std::make_shared<MemoryShards::Fate>();
  fate->commits_left = commits;
  fate->last_answer_lost = last_answer_lost;
  Gateway dying(world, small_leaves, fate);
  const bool done = dying.get(dying.namespaces.configure(ns, 1, {.tags = {{"k", "v"}}})).has_value();
  const bool lived = !fate->dead;
  world.shards.fence(dying.client->session());

  // Nobody has swept yet: who reads the namespace's row finishes what was begun.
  Gateway next(world, small_leaves);
  EXPECT_TRUE(next.get(put(next.tree, ns, "l", "v")));
  const auto now = next.get(next.namespaces.find_configuration(ns));
  EXPECT_EQ(now->epoch, 1 + now->configuration.tags.size()) << "the whole change or nothing of it";
  if (done) EXPECT_EQ(now->epoch, 2U);
  EXPECT_TRUE(before.get(put(before.tree, ns, "m", "v")));
  EXPECT_TRUE(next.get(next.namespaces.configure(ns, now->epoch, {})));
  EXPECT_TRUE(sweep_all(next));
  EXPECT_TRUE(before.get(put(before.tree, ns, "n", "v")));
  world.loop.run_for(std::chrono::seconds(1));
  return lived;
}

TEST(NamespaceConfigurations, whose_change_stops_between_any_two_steps_are_whole_and_in_use) {
  for (const bool last_answer_lost : {false, true}) {
    bool lived = false;
    for (std::uint64_t commits = 1; !lived && !testing::Test::HasFailure(); ++commits) {
      SCOPED_TRACE(testing::Message() << "dies after " << commits << " commits");
      lived = dies_while_configuring(commits, last_answer_lost);
      ASSERT_LT(commits, 20U);
    }
  }
}

/// True when the process lived to the end.
bool dies_while_removing(std::uint64_t commits, bool last_answer_lost) {
  MemoryWorld world(commits);
  NamespaceId ns;
  {
    Gateway founder(world, small_leaves);
    ns = founder.make_namespace("bucket");
    for (const auto* key : {"a/b/c", "d/e"}) EXPECT_TRUE(founder.get(put(founder.tree, ns, key, "v")));
    for (const auto* key : {"a/b/c", "d/e"}) EXPECT_TRUE(founder.get(remove(founder.tree, ns, key)));
    EXPECT_TRUE(founder.get(founder.uploads.create(ns, "some/key", {})));
    world.loop.run_for(std::chrono::seconds(1));
  }
  const auto fate = std::make_shared<MemoryShards::Fate>();
  fate->commits_left = commits;
  fate->last_answer_lost = last_answer_lost;
  Gateway dying(world, small_leaves, fate);
  const bool removed = dying.get(dying.namespaces.remove(world.tenant, "bucket")).has_value();
  const bool lived = !fate->dead;
  world.shards.fence(dying.client->session());

  Gateway next(world, small_leaves);
  EXPECT_TRUE(sweep_all(next));
  const auto found = next.get(next.namespaces.find(world.tenant, "bucket"));
  if (removed) EXPECT_FALSE(found);
  if (found) {
    EXPECT_TRUE(next.get(put(next.tree, ns, "k", "v"))) << "it is active again";
    EXPECT_TRUE(next.get(remove(next.tree, ns, "k")));
    EXPECT_TRUE(next.get(next.namespaces.remove(world.tenant, "bucket")));
  }
  for (const auto& [name, row] : world.shards.all()) EXPECT_NE(row.key.leaf.ns, ns);
  EXPECT_TRUE(next.get(next.namespaces.create(world.tenant, "bucket", {})));
  world.loop.run_for(std::chrono::seconds(1));
  return lived;
}

TEST(NamespaceDeletion, that_stops_between_any_two_commits_is_undone_or_finished) {
  for (const bool last_answer_lost : {false, true}) {
    bool lived = false;
    for (std::uint64_t commits = 1; !lived && !testing::Test::HasFailure(); ++commits) {
      SCOPED_TRACE(testing::Message() << "dies after " << commits << " commits");
      lived = dies_while_removing(commits, last_answer_lost);
      ASSERT_LT(commits, 200U);
    }
  }
}

TEST(Bootstrap, makes_the_first_tenant_once) {
  MemoryWorld world;
  int called = 0;
  const auto again = world.loop.get(bootstrap(world.services(*world.founder), [&](TenantId) {
    ++called;
    return Result<>();
  }));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, world.tenant);
  EXPECT_EQ(called, 0);
}

TEST(Bootstrap, repeats_after_a_crash_and_not_without_a_key) {
  sim::SimulatedLoop loop;
  sim::SimulatedClock clock(loop);
  SeededRng rng(1);
  MemoryShards shards(loop.executor(), clock, 1);
  const auto client = shards.connect();
  PlainProvider provider;
  const auto system_key = crypto::Key256::random(rng);
  keys::KeyService service(system_key, provider, rng);
  Services services{loop.executor()};
  services.clock = &clock;
  services.rng = &rng;
  services.client = client.get();
  services.keys = &service;
  EXPECT_EQ(loop.get(FileSystem::open(services)).error().code(), Errc::not_found);
  const auto failing = [](TenantId) -> Result<> { return fail(Errc::io_error); };
  EXPECT_EQ(loop.get(bootstrap(services, failing)).error().code(), Errc::io_error);
  EXPECT_TRUE(shards.all().empty());
  // The key was added before the crash, and nothing else.
  const auto present = [](TenantId) -> Result<> { return fail(Errc::exists); };
  EXPECT_TRUE(loop.get(bootstrap(services, present)));
  EXPECT_TRUE(loop.get(FileSystem::open(services)));
}

}  // namespace
}  // namespace kiseki::fs::detail
