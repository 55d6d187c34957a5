#include "raft/replica.h"

#include <gtest/gtest.h>

#include "sim/simulated_clock.h"
#include "sim/simulated_disk.h"

namespace kiseki::raft {
namespace {

constexpr GroupId group{7};

/// Remembers what was applied; durable is what a test says.
class Recorder final : public StateMachine {
 public:
  Result<> apply(std::span<const Entry> committed, const ConfState*) override {
    for (const Entry& entry : committed) {
      EXPECT_EQ(entry.index, applied_index + 1);
      applied_index = entry.index;
      history.emplace(entry.index, as_text(entry.data));
      if (!entry.data.empty()) payloads.emplace_back(as_text(entry.data));
    }
    return {};
  }
  Index applied() const override { return applied_index; }
  Result<Index> applied_durable() const override { return durable_index; }
  void leadership(Role now, Term) override { role = now; }
  std::optional<ConfState> configuration() const override { return std::nullopt; }
  void removed() override {}
  void failed() override { has_failed = true; }

  std::vector<std::string> payloads;
  std::map<Index, std::string> history;
  Index applied_index = 1;
  Index durable_index = 1;
  Role role = Role::follower;
  bool has_failed = false;
};

/// A log and one replica, over a disk that outlives them.
class World {
 public:
  explicit World(std::uint64_t seed) : clock_(loop_), disk_(clock_, seed) {}
  ~World() {
    if (log_) stop();
  }

  Result<> start(Recorder& machine, Replica::Options options = {.group = group}) {
    auto log = loop_.get(Log::open(disk_, loop_.executor(), clock_,
                                   {.directory = "/log", .segment_size = 64_KiB, .spare_segments = 1}));
    if (!log) return fail(log.error());
    log_ = std::move(*log);
    auto recovered = log_->take_recovered();
    if (recovered.empty()) {
      const SnapshotMeta base{1, 1, {.voters = {1}}};
      KISEKI_TRY(loop_.get(log_->create(group, 1, base)));
      recovered.emplace(group, Recovered{.replica = 1, .base = base, .hard_state = {}, .tail = {}});
    }
    auto replica = loop_.get(
        Replica::open(options, std::move(recovered.at(group)), {machine, *log_, clock_, loop_.executor()}));
    if (!replica) {
      stop();
      return fail(replica.error());
    }
    replica_ = std::move(*replica);
    return {};
  }

  void stop() {
    if (replica_) loop_.get(replica_->stop());
    replica_.reset();
    loop_.get(log_->stop());
    log_.reset();
  }

  sim::SimulatedLoop loop_;
  sim::SimulatedClock clock_;
  sim::SimulatedDisk disk_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<Replica> replica_;
};

TEST(Replica, applies_what_it_proposed_in_order) {
  Recorder machine;
  World world(1);
  ASSERT_TRUE(world.start(machine));
  EXPECT_EQ(machine.role, Role::leader);
  EXPECT_TRUE(world.replica_->reads_locally());
  for (const char* text : {"a", "b", "c"}) ASSERT_TRUE(world.replica_->propose(text));
  const auto position = world.replica_->propose("d");
  ASSERT_TRUE(position);
  EXPECT_TRUE(machine.payloads.empty()) << "nothing is applied before it is durable";
  ASSERT_TRUE(world.loop_.run_until([&] { return machine.applied_index == position->index; }));
  EXPECT_EQ(machine.payloads, (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST(Replica, refuses_more_than_its_limit) {
  Recorder machine;
  World world(1);
  ASSERT_TRUE(world.start(machine));
  Result<Replica::Position> last = fail(Errc::busy);
  std::size_t taken = 0;
  while ((last = world.replica_->propose("x"))) ++taken;
  EXPECT_EQ(last.error().code(), Errc::busy);
  EXPECT_EQ(taken, Replica::Options{}.proposals_max);
}

TEST(Replica, refuses_more_uncommitted_bytes_than_its_limit) {
  Recorder machine;
  World world(1);
  ASSERT_TRUE(world.start(machine, {.group = group, .uncommitted_max = 64_KiB}));
  Result<Replica::Position> last = fail(Errc::busy);
  std::size_t taken = 0;
  while ((last = world.replica_->propose(std::string(4_KiB, 'x')))) ++taken;
  EXPECT_EQ(last.error().code(), Errc::busy);
  EXPECT_GE(taken, 15U);
  EXPECT_LE(taken, 17U);
  ASSERT_TRUE(world.loop_.run_until([&] { return machine.payloads.size() == taken; }));
  EXPECT_TRUE(world.replica_->propose("more")) << "what is committed counts no more";
}

TEST(Replica, takes_no_proposals_that_the_log_has_no_room_for) {
  Recorder machine;
  World world(1);
  ASSERT_TRUE(world.start(machine));
  world.loop_.run_for(std::chrono::seconds(1));
  world.disk_.set_capacity(world.disk_.used());
  Result<Replica::Position> last = fail(Errc::busy);
  while ((last = world.replica_->propose(std::string(8_KiB, 'x')))) {
    world.loop_.run_for(std::chrono::milliseconds(10));
    ASSERT_LT(last->index, 100U);
  }
  EXPECT_EQ(last.error().code(), Errc::no_space);
  const Index before = machine.applied_index;
  world.disk_.set_capacity(1_GiB);
  world.loop_.run_for(std::chrono::seconds(2));
  ASSERT_TRUE(world.replica_->propose("with room"));
  world.loop_.run_for(std::chrono::seconds(1));
  EXPECT_GT(machine.applied_index, before);
}

/// Proposes until a power cut; what was applied before it must be a prefix of what a restart applies.
void crash_once(World& world, Recorder& machine, Rng& rng) {
  ASSERT_TRUE(world.start(machine));
  const BootTime until = world.loop_.now() + std::chrono::microseconds(rng.below(20'000));
  while (world.loop_.now() < until) {
    for (std::uint64_t i = rng.below(5); i > 0; --i) {
      ASSERT_TRUE(world.replica_->propose(std::to_string(rng.next()) + std::string(rng.below(3000), 'x')));
    }
    if (rng.below(20) == 0) {
      machine.durable_index = machine.applied_index;
      ASSERT_TRUE(world.loop_.get(world.replica_->compact()));
    }
    world.loop_.run_for(std::chrono::microseconds(rng.below(500)));
  }
  world.disk_.crash();
  world.stop();
}

TEST(Replica, keeps_what_it_applied_over_power_cuts) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Recorder machine;
    World world(seed);
    SeededRng rng(seed);
    for (int life = 0; life < 5; ++life) {
      // Of the state only what it said was durable comes back.
      Recorder next;
      next.applied_index = next.durable_index = machine.durable_index;
      crash_once(world, next, rng);
      if (HasFatalFailure()) FAIL() << "seed " << seed;
      for (auto at = machine.history.upper_bound(machine.durable_index); at != machine.history.end(); ++at) {
        ASSERT_TRUE(next.history.contains(at->first)) << "seed " << seed << ": lost " << at->first;
        ASSERT_EQ(next.history.at(at->first), at->second) << "seed " << seed << ": another " << at->first;
      }
      machine = std::move(next);
    }
  }
}

TEST(Replica, refuses_a_log_behind_its_state) {
  Recorder machine;
  World world(1);
  machine.applied_index = 90;
  const auto started = world.start(machine);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code(), Errc::corrupted);
}

TEST(Replica, fails_for_good_when_the_log_does) {
  Recorder machine;
  World world(1);
  ASSERT_TRUE(world.start(machine));
  world.disk_.faults().sync_errors = 1'000'000;
  ASSERT_TRUE(world.replica_->propose("never applied"));
  ASSERT_TRUE(world.loop_.run_until([&] { return world.replica_->failure().has_value(); }));
  EXPECT_TRUE(machine.payloads.empty());
  EXPECT_TRUE(machine.has_failed);
  EXPECT_EQ(world.replica_->propose("x").error().code(), Errc::unavailable);
}

}  // namespace
}  // namespace kiseki::raft
