#include "fs/sweeping/sweeper.h"

#include "fs/testing/stored_bodies.h"

// The sweeper as it runs, round after round: what one from the first row on would find is no proof of it.

namespace kiseki::fs::detail {
namespace {

/// Commits nothing while it is told so.
class UnreachableClient final : public ForwardingClient {
 public:
  using ForwardingClient::ForwardingClient;
  Task<Result<shard::Outcome>> commit(shard::Transaction transaction) override {
    if (is_away) co_return fail(Errc::unavailable, "away");
    co_return co_await ForwardingClient::commit(std::move(transaction));
  }
  bool is_away = false;
};

class SweeperTest : public StoredBodies {
 public:
  SweeperTest() {
    auto client = std::make_unique<UnreachableClient>(world.shards.connect());
    link = client.get();
    sweeping.emplace(world, std::move(client), TreeLimits{});
    world.loop.spawn(sweeping->sweeper.run(scope));
  }
  ~SweeperTest() override { world.loop.get(scope.stop()); }

  void put(Gateway& on, std::string key, Bytes size) {
    PatternSource source(size, size);
    ASSERT_TRUE(on.get(on.objects.put(ns, std::move(key), source, {})));
  }
  void remove(std::string key) { ASSERT_TRUE(gateway.get(gateway.objects.remove(ns, std::move(key), {}))); }
  std::size_t left() const {
    using shard::Kind;
    std::size_t sum = 0;
    for (const Kind kind : {Kind::garbage, Kind::pending, Kind::feed, Kind::map_page, Kind::inline_data})
      sum += world.shards.count(kind);
    return sum;
  }

  UnreachableClient* link = nullptr;
  std::optional<Gateway> sweeping;
  Scope scope{world.loop.executor()};
};

TEST_F(SweeperTest, takes_within_seconds_what_is_left_round_after_round) {
  for (int round = 0; round < 20; ++round) {
    put(gateway, "dir/long", paged_size);
    put(gateway, "dir/short", 10'000);
    remove("dir/long");
    remove("dir/short");
    world.loop.run_for(std::chrono::seconds(3));
    EXPECT_EQ(left(), 0U) << round;
  }
}

TEST_F(SweeperTest, tries_again_what_failed_at_once) {
  put(gateway, "long", paged_size);
  link->is_away = true;
  remove("long");
  world.loop.run_for(std::chrono::seconds(5));
  EXPECT_GT(left(), 0U);
  link->is_away = false;
  world.loop.run_for(std::chrono::minutes(11));
  EXPECT_EQ(left(), 0U);
}

TEST_F(SweeperTest, takes_what_a_session_left_that_died_while_it_ran) {
  for (std::uint64_t commits = 1; commits <= 3; ++commits) {
    auto fate = std::make_shared<MemoryShards::Fate>();
    Gateway dying(world, {}, fate);
    fate->commits_left = commits;
    PatternSource source(1, paged_size);
    (void)dying.get(dying.objects.put(ns, "some/where/long", source, {}));
    ASSERT_TRUE(fate->dead);
    world.shards.fence(dying.client->session());
    world.loop.run_for(std::chrono::seconds(15));
    EXPECT_EQ(left(), 0U) << commits;
    EXPECT_FALSE(gateway.get(gateway.objects.stat(ns, "some/where/long")));
  }
}

}  // namespace
}  // namespace kiseki::fs::detail
