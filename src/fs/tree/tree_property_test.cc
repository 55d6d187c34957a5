#include <set>

#include "fs/testing/tree_world.h"

// Random work from several instances against a plain map, by seed.

namespace kiseki::fs::detail {
namespace {

constexpr int steps = 120;

/// Works on keys of its own in directories that all share: so it knows exactly what is there.
struct Worker {
  Gateway& on;
  NamespaceId ns;
  std::string mark;  ///< At the end of its keys.
  SeededRng rng;
  std::map<std::string, std::string> model;
  bool done = false;

  std::string random_key() {
    std::string key;
    for (auto depth = rng.below(3); depth > 0; --depth) key += std::to_string(rng.below(3)) + "/";
    return key + std::to_string(rng.below(25)) + mark;
  }
};

Task<> put_one(Worker& worker) {
  const std::string key = worker.random_key(), value = std::to_string(worker.rng.next());
  const auto put_it = co_await put(worker.on.tree, worker.ns, key, value);
  EXPECT_TRUE(put_it) << put_it.error().to_string();
  worker.model[key] = value;
}

Task<> remove_one(Worker& worker) {
  // Mostly one that is there.
  std::string key = worker.random_key();
  if (!worker.model.empty() && worker.rng.below(4) > 0)
    key = worker.model.lower_bound(key) == worker.model.end() ? worker.model.begin()->first
                                                              : worker.model.lower_bound(key)->first;
  const auto removed = co_await remove(worker.on.tree, worker.ns, key);
  EXPECT_TRUE(removed) << removed.error().to_string();
  EXPECT_EQ(removed && *removed, worker.model.erase(key) == 1) << key;
}

Task<> read_one(Worker& worker) {
  const std::string key = worker.random_key();
  const auto found = co_await get(worker.on.tree, worker.ns, key);
  EXPECT_TRUE(found) << found.error().to_string();
  const auto known = worker.model.find(key);
  const auto expected = known == worker.model.end() ? std::nullopt : std::optional(known->second);
  EXPECT_EQ(found ? *found : std::nullopt, expected) << key;
}

Task<> list_all(Worker& worker) {
  const auto keys = co_await list(worker.on.tree, worker.ns);
  EXPECT_TRUE(keys) << keys.error().to_string();
  if (!keys) co_return;
  EXPECT_TRUE(std::ranges::is_sorted(*keys));
  std::vector<std::string> own, expected;
  for (const auto& key : *keys) {
    if (key.ends_with(worker.mark)) own.push_back(key);
  }
  for (const auto& [key, value] : worker.model) expected.push_back(key);
  EXPECT_EQ(own, expected);
}

Task<> work(Worker& worker, bool shrinks) {
  for (int step = 0; step < steps && !testing::Test::HasFailure(); ++step) {
    const auto choice = worker.rng.below(20);
    const bool late = shrinks && step > steps / 2;
    if (choice < (late ? 2U : 10U)) {
      co_await put_one(worker);
    } else if (choice < 15) {
      co_await remove_one(worker);
    } else if (choice < 19) {
      co_await read_one(worker);
    } else {
      co_await list_all(worker);
    }
  }
  worker.done = true;
}

Task<> sweep_meanwhile(Gateway& on, const std::vector<std::unique_ptr<Worker>>& workers, bool& done) {
  while (std::ranges::any_of(workers, [](const auto& worker) { return !worker->done; })) {
    (void)co_await on.sweep();
    co_await on.world.clock.sleep(std::chrono::milliseconds(5));
  }
  done = true;
}

class Seeds : public testing::TestWithParam<int> {};

TEST_P(Seeds, agree_with_a_plain_map) {
  const auto seed = static_cast<std::uint64_t>(GetParam());
  MemoryWorld world(seed, {.shards = static_cast<std::uint32_t>(1 + seed % 4), .entries_max = 14});
  std::vector<std::unique_ptr<Gateway>> gateways;
  for (std::uint64_t i = 0; i < 2 + seed % 2; ++i) {
    gateways.push_back(std::make_unique<Gateway>(world, small_leaves));
  }
  const NamespaceId ns = gateways[0]->make_namespace("bucket");
  world.shards.set_refused_percent(seed % 3 * 5);
  std::vector<std::unique_ptr<Worker>> workers;
  for (std::size_t i = 0; i < 2 * gateways.size(); ++i) {
    workers.push_back(std::make_unique<Worker>(
        *gateways[i / 2], ns, std::string(1, static_cast<char>('A' + i)), SeededRng(seed * 100 + i)));
    world.loop.spawn(work(*workers.back(), seed % 2 == 0));
  }
  bool swept = false;
  world.loop.spawn(sweep_meanwhile(*gateways[0], workers, swept));
  ASSERT_TRUE(world.loop.run_until([&] { return swept; })) << "seed " << seed;
  world.shards.set_refused_percent(0);
  world.loop.run_for(std::chrono::seconds(5));
  ASSERT_TRUE(sweep_all(*gateways[0])) << "seed " << seed;
  std::map<std::string, std::string> expected;
  for (const auto& worker : workers) expected.insert(worker->model.begin(), worker->model.end());
  const TreeCheck check(world.shards, *gateways[0]->get(gateways[0]->tree.namespaces().get(ns)));
  expect_swept(check);
  EXPECT_EQ(check.objects(), expected) << "seed " << seed;
}

INSTANTIATE_TEST_SUITE_P(Tree, Seeds, testing::Range(0, 60));

/// What one process does before it dies, and what it knows to be done.
struct Life {
  Gateway& on;
  NamespaceId ns;
  std::map<std::string, std::string> acknowledged;
  std::set<std::string> unknown;  ///< Keys whose last write has no answer.
  bool finished = false;
};

Task<Result<>> live_put(Life& life, std::string key) {
  life.unknown.insert(key);
  KISEKI_CO_TRY(co_await put(life.on.tree, life.ns, key, "v" + key));
  life.acknowledged[key] = "v" + key;
  life.unknown.erase(key);
  co_return Result<>{};
}

Task<Result<>> live_remove(Life& life, std::string key) {
  life.unknown.insert(key);
  const auto removed = co_await remove(life.on.tree, life.ns, key);
  if (!removed) co_return fail(removed.error());
  life.acknowledged.erase(key);
  life.unknown.erase(key);
  co_return Result<>{};
}

Task<Result<>> live(Life& life) {
  for (int i = 0; i < 10; ++i) KISEKI_CO_TRY(co_await live_put(life, "a/b/" + std::to_string(i)));
  for (int i = 0; i < 20; ++i) KISEKI_CO_TRY(co_await live_put(life, std::to_string(i)));
  KISEKI_CO_TRY(co_await live_put(life, "x/y/z/w"));
  const auto made = co_await life.on.tree.find(life.ns, "ahead/of/it", Purpose::write_linked);
  if (!made) co_return fail(made.error());
  for (int i = 0; i < 20; ++i) KISEKI_CO_TRY(co_await live_remove(life, std::to_string(i)));
  KISEKI_CO_TRY(co_await live_remove(life, "x/y/z/w"));
  KISEKI_CO_TRY(co_await life.on.sweep());
  for (int i = 0; i < 10; ++i) KISEKI_CO_TRY(co_await live_remove(life, "a/b/" + std::to_string(i)));
  KISEKI_CO_TRY(co_await life.on.sweep());
  KISEKI_CO_TRY(co_await live_put(life, "a/b/again"));
  life.finished = true;
  co_return Result<>{};
}

/// True when the process lived to the end.
bool die_after(std::uint64_t commits, bool last_answer_lost) {
  MemoryWorld world(commits, {.entries_max = 14});
  NamespaceId ns;
  {
    Gateway founder(world, small_leaves);
    ns = founder.make_namespace("bucket");
  }
  const auto fate = std::make_shared<MemoryShards::Fate>();
  fate->commits_left = commits;
  fate->last_answer_lost = last_answer_lost;
  Gateway dying(world, small_leaves, fate);
  Life life{dying, ns, {}, {}, false};
  (void)dying.get(live(life));
  world.loop.run_for(std::chrono::seconds(5));
  world.shards.fence(dying.client->session());

  Gateway next(world, small_leaves);
  const auto context = *next.get(next.tree.namespaces().get(ns));
  expect_well_formed(TreeCheck(world.shards, context));
  EXPECT_TRUE(sweep_all(next));
  // Writers finish a split that was begun, wherever it was.
  for (const auto* directory : {"", "a/b/"}) {
    for (int i = 0; i < 20; ++i) {
      const std::string key = directory + std::to_string(i) + "+";
      EXPECT_TRUE(next.get(put(next.tree, ns, key, "after")));
      EXPECT_TRUE(next.get(remove(next.tree, ns, key)));
    }
  }
  world.loop.run_for(std::chrono::seconds(5));
  EXPECT_TRUE(sweep_all(next));
  const TreeCheck check(world.shards, context);
  expect_swept(check);
  for (const auto& [key, value] : life.acknowledged) {
    if (life.unknown.contains(key)) continue;
    const auto found = check.objects().find(key);
    EXPECT_TRUE(found != check.objects().end() && found->second == value) << key << " was acknowledged";
  }
  for (const auto& [key, value] : check.objects()) {
    EXPECT_TRUE(life.acknowledged.contains(key) || life.unknown.contains(key)) << key << " was removed";
  }
  return life.finished;
}

class LostAnswers : public testing::TestWithParam<bool> {};

TEST_P(LostAnswers, a_crash_between_any_two_commits_leaves_a_tree_that_a_sweep_makes_whole) {
  bool finished = false;
  for (std::uint64_t commits = 1; !finished && !HasFailure(); ++commits) {
    SCOPED_TRACE(testing::Message() << "dies after " << commits << " commits");
    finished = die_after(commits, GetParam());
    ASSERT_LT(commits, 1000U);
  }
}

INSTANTIATE_TEST_SUITE_P(Tree, LostAnswers, testing::Bool());

}  // namespace
}  // namespace kiseki::fs::detail
