#include <gtest/gtest.h>

#include "base/planted.h"
#include "shard/node/heartbeats.h"
#include "shard/testing/shard_world.h"
#include "sim/simulation.h"

// How sessions end: by silence, and for good (PROTOCOLS 5.1).

namespace kiseki::shard::detail {
namespace {

using Type = Assert::Type;
using std::chrono::milliseconds;
using std::chrono::seconds;

const SessionId one{1}, two{2};
constexpr BootTime start{std::chrono::hours(1)};

TEST(Heartbeats, who_is_silent_for_a_term_is_named) {
  Heartbeats heard;
  EXPECT_TRUE(heard.silent({one, two}, start).empty());
  for (int i = 1; i < 10; ++i) {
    heard.beat({two}, start + seconds(i));
    EXPECT_TRUE(heard.silent({one, two}, start + seconds(i)).empty()) << i;
  }
  EXPECT_EQ(heard.silent({one, two}, start + seconds(10)), std::vector<SessionId>{one});
  EXPECT_EQ(heard.silent({two}, start + seconds(11)), std::vector<SessionId>{});
}

TEST(Heartbeats, a_new_one_and_all_after_a_change_of_leader_have_a_full_term) {
  Heartbeats heard;
  const auto look = [&](int at) { return heard.silent({one}, start + seconds(at)); };
  heard.beat({one}, start);
  for (int i = 20; i < 30; ++i) EXPECT_TRUE(look(i).empty()) << i;
  heard.clear();
  for (int i = 30; i < 40; ++i) EXPECT_TRUE(look(i).empty()) << i;
  EXPECT_EQ(look(40), std::vector<SessionId>{one});
}

TEST(Heartbeats, a_leader_that_stood_still_gives_time_to_be_heard) {
  Heartbeats heard;
  EXPECT_TRUE(heard.silent({one}, start).empty());
  EXPECT_TRUE(heard.silent({one}, start + std::chrono::hours(9)).empty());
  heard.beat({one}, start + std::chrono::hours(9));
  EXPECT_TRUE(heard.silent({one}, start + std::chrono::hours(9) + seconds(9)).empty());
}

/// Processes beat by clocks that gain or lose, over a way that is slow; some stop. The leader stands still at
/// times, or starts again.
class ExpiryRun {
 public:
  explicit ExpiryRun(const sim::Schedule& schedule) : schedule_(schedule), rng_(schedule.seed), world_(2) {}

  std::string run() {
    const BootTime began = world_.loop().now();
    for (std::uint64_t process = 0; process < 4; ++process) {
      const auto id = world_.loop().get(Registry(world_.routes()).open(process)).value();
      users_.push_back({.id = id,
                        .interval = milliseconds(500 + rng_.below(1500)),
                        .due = began,
                        .ends = {},
                        .is_lost = false});
      if (rng_.below(2) == 0) users_.back().ends = began + milliseconds(rng_.below(60'000));
    }
    for (const auto& step : schedule_.steps) {
      advance_to(std::max(began + step.at, world_.loop().now() + seconds(6)));
      if (step.what == "start") world_.crash(step.argument);
      if (step.what == "pause") world_.loop().run_for(milliseconds(step.argument));
      const auto words = check();
      if (!words.empty()) return words;
    }
    // A term, and what a start has given anew of it.
    advance_to(world_.loop().now() + seconds(14));
    return check_end();
  }

 private:
  struct User {
    SessionId id;
    Duration interval;
    BootTime due;
    std::optional<BootTime> ends;
    bool is_lost = false;
    bool lives(BootTime now) const { return !ends || now < *ends; }
  };

  void advance_to(BootTime end) {
    while (world_.loop().now() < end) {
      world_.loop().run_for(milliseconds(100));
      const bool looks = ++ticks_ % 10 == 0;
      const bool looks_first = looks && rng_.below(2) == 0;
      if (looks_first) world_.expire();
      for (auto& user : users_) beat(user);
      if (looks && !looks_first) world_.expire();
    }
  }

  void beat(User& user) {
    const BootTime now = world_.loop().now();
    if (!user.lives(now) || now < user.due) return;
    user.due = now + user.interval + milliseconds(rng_.below(500));
    // Lost, but not two in a row: with a pause that would be a term.
    user.is_lost = !user.is_lost && rng_.below(5) == 0;
    if (user.is_lost) return;
    const auto fenced = world_.loop().get(Registry(world_.routes()).beat({user.id}));
    if (!fenced || !fenced->empty()) is_wronged_ = true;
  }

  std::string check() {
    if (is_wronged_) return "a session that beats was fenced";
    const auto table = world_.loop().get(Registry(world_.routes()).table()).value();
    for (const auto& user : users_) {
      const bool is_open = std::ranges::any_of(table.sessions, [&](const auto& entry) {
        return entry.id == user.id && entry.row.state == SessionRow::State::open;
      });
      if (!is_open && user.lives(world_.loop().now())) return "a session that beats was fenced";
    }
    return {};
  }

  std::string check_end() {
    const auto words = check();
    if (!words.empty()) return words;
    for (const auto& user : users_) {
      if (user.lives(world_.loop().now() - seconds(14))) continue;
      for (std::size_t i = 0; i < world_.shard_count(); ++i) {
        if (!world_.shard(i).machine().sessions().is_fenced(user.id)) return "a silent session may write";
      }
    }
    return {};
  }

  const sim::Schedule& schedule_;
  SeededRng rng_;
  ShardWorld world_;
  std::vector<User> users_;
  std::uint64_t ticks_ = 0;
  bool is_wronged_ = false;
};

class ExpirySimulation final : public sim::Simulation {
 public:
  sim::Schedule plan(std::uint64_t seed) const override {
    sim::Schedule schedule{.seed = seed, .steps = {}};
    SeededRng rng(seed);
    Duration at{};
    for (std::uint64_t i = 1 + rng.below(4); i > 0; --i) {
      at += milliseconds(rng.below(20'000));
      const bool pauses = rng.below(2) == 0;
      schedule.steps.push_back({at, pauses ? "pause" : "start", pauses ? rng.below(30'000) : rng.next()});
    }
    return schedule;
  }
  std::string run(const sim::Schedule& schedule, sim::Trace&) const override {
    return ExpiryRun(schedule).run();
  }
};

TEST(Expiry, fences_who_is_silent_and_nobody_else) {
  const auto finding = sim::find_violation(ExpirySimulation(), sim::Seeds::from_environment(960));
  ASSERT_FALSE(finding) << finding->to_string();
}

TEST(Expiry, a_leader_that_comes_back_gives_every_session_a_full_term) {
  ShardWorld world(1);
  const auto id = world.loop().get(Registry(world.routes()).open(7)).value();
  const auto listen = [&world](int times) {
    for (int i = 0; i < times; ++i) {
      world.loop().run_for(seconds(1));
      world.expire();
    }
  };
  const auto is_fenced = [&] { return world.shard(1).machine().sessions().is_fenced(id); };
  listen(9);
  world.shard(0).leadership(raft::Role::follower, 1);
  world.shard(0).leadership(raft::Role::leader, 2);
  listen(9);
  EXPECT_FALSE(is_fenced());
  listen(5);
  EXPECT_TRUE(is_fenced());
}

class PlantedExpiry : public ::testing::TestWithParam<const char*> {};

TEST_P(PlantedExpiry, is_noticed) {
  EXPECT_EQ(sim::unnoticed(GetParam(), {.first = 0, .count = 200}, ExpirySimulation()), "");
}

INSTANTIATE_TEST_SUITE_P(Planted, PlantedExpiry,
                         ::testing::Values("5.1 heartbeats are not heard", "5.1 a silent session stays open",
                                           "5.1 a pause of the leader counts as silence"));

Key row_in(const ShardWorld& world, std::size_t shard, std::uint64_t number) {
  return key(world.leaf_in(shard), Kind::inode, item_of(number));
}

Result<Outcome> create(ShardWorld& world, MortalSession& user, const Key& row) {
  auto transaction = transaction_of_test().require(Type::absent, row).put(row, {});
  return world.loop().get(user.session->commit(std::move(transaction)));
}

std::size_t state_rows(ShardWorld& world, StateType type) {
  std::size_t found = 0;
  for (std::size_t i = 0; i < world.shard_count(); ++i) {
    const auto range = range_of(state_key(ShardId(static_cast<std::uint32_t>(i)), type));
    const auto rows = world.store().iterate(family_state, range, nullptr);
    for (rows->seek(as_view(range.from)); rows->valid(); rows->next()) ++found;
  }
  return found;
}

/// Sessions come and go, a shard splits, the node starts again: what is wrong with those that went, or with
/// the one that lives; or nothing.
std::string sessions_that_went() {
  ShardWorld world(2);
  auto& living = world.connect(1);
  auto& first = world.connect(2);
  if (!create(world, first, row_in(world, 1, 1)) || !create(world, first, row_in(world, 2, 1)))
    return "first";
  for (int i = 0; i < 5; ++i) world.connect(2);
  world.sweep();
  if (state_rows(world, StateType::fence) > 0) return "fences are kept one by one";
  const SlotRange range = world.shard(1).machine().range();
  world.split(ShardId(1), static_cast<Slot>(range.last / 2));
  world.loop().run_for(milliseconds(10));
  for (std::size_t i = 0; i < world.shard_count(); ++i) {
    if (!world.shard(i).machine().sessions().is_fenced(first.session->id())) return "who went may write";
    if (world.shard(i).machine().sessions().is_fenced(living.session->id())) return "the living may not";
  }
  for (std::size_t i = 1; i < world.shard_count(); ++i) {
    const auto made = create(world, living, row_in(world, i, 2));
    if (!made || !made->committed()) return "the living one cannot write";
  }
  const auto late = create(world, first, row_in(world, 1, 3));
  if (late || late.error().code() != Errc::fenced) return "one that went has written";
  const SessionId id = first.session->id();
  world.crash(1);
  for (std::size_t i = 0; i < world.shard_count(); ++i) {
    if (!world.shard(i).machine().sessions().is_fenced(id)) return "after a start who went may write";
  }
  return {};
}

/// Two sessions hold locks; one goes.
std::string locks_that_stay() {
  ShardWorld world(2);
  auto& living = world.connect(1);
  auto& first = world.connect(2);
  std::vector<Key> locks;
  for (const auto* user : {&living, &first}) {
    for (std::size_t shard = 1; shard <= 2; ++shard) {
      locks.push_back(lock_key(world.leaf_in(shard), InodeId(7), user->session->id()));
      if (!create(world, living, locks.back())) return "no lock";
    }
  }
  world.sweep();
  ReadRequest request;
  for (const auto& row : locks) request.gets.push_back({row, false});
  const auto count = [&] {
    const auto found = world.loop().get(living.session->read(request)).value();
    return std::ranges::count_if(found.gets, [](const auto& got) { return got.record.has_value(); });
  };
  if (count() != 4) return "a lock of a living session went";
  world.connect(2);
  for (int i = 0; i < 3; ++i) world.sweep();
  if (count() != 2) return "locks of a fenced session stay";
  const auto left = world.loop().get(living.session->read(request)).value();
  if (!left.gets[0].record || !left.gets[1].record) return "those of the other went";
  return state_rows(world, StateType::pending) == 2 ? "" : "the index of locks is wrong";
}

TEST(Sessions, locks_go_with_their_holder) { EXPECT_EQ(locks_that_stay(), ""); }
TEST(Sessions, that_went_are_one_row_a_shard) { EXPECT_EQ(sessions_that_went(), ""); }

TEST(Sessions, who_is_gone_stays_so_in_any_order) {
  const GoneSessions older{.last = SessionId(5), .living = {SessionId(2), SessionId(4)}};
  const GoneSessions newer{.last = SessionId(9), .living = {SessionId(4), SessionId(8)}};
  for (const bool is_newer_first : {false, true}) {
    GoneSessions gone = is_newer_first ? newer : older;
    gone.add(is_newer_first ? older : newer);
    EXPECT_EQ(gone.last, SessionId(9));
    EXPECT_EQ(gone.living, (std::vector{SessionId(4), SessionId(8)}));
    const auto again = GoneSessions::decode(as_view(gone.encode()));
    ASSERT_TRUE(again);
    EXPECT_EQ(again->living, gone.living);
    gone.spare(SessionId(6));
    EXPECT_FALSE(gone.contains(SessionId(6)));
    const std::string bytes = gone.encode();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(GoneSessions::decode(as_view(bytes).first(size)));
    }
  }
}

struct Directed {
  const char* fault;
  std::string (*run)();
};

class PlantedSessions : public ::testing::TestWithParam<Directed> {};

TEST_P(PlantedSessions, is_noticed) {
  const planted::Fault fault(GetParam().fault);
  EXPECT_NE(GetParam().run(), "");
  EXPECT_GT(fault.met(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Planted, PlantedSessions,
                         ::testing::Values(Directed{"5.1 who is gone writes again", sessions_that_went},
                                           Directed{"5.1 the living are forgotten with the gone",
                                                    sessions_that_went},
                                           Directed{"5.1 locks of fenced sessions stay", locks_that_stay},
                                           Directed{"1.8 a split loses who is gone", sessions_that_went}));

}  // namespace
}  // namespace kiseki::shard::detail
