#include "raft/testing/group_simulation.h"

#include "base/assert.h"
#include "raft/testing/group_world.h"

namespace kiseki::raft {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

/// Who reads what others write at that moment.
constexpr GroupClient::Habits readers{
    .think = milliseconds(30), .keys = 1, .reads = 50, .has_watchers = true, .patience = milliseconds(400)};

GroupProfile idle() {
  return {.name = "idle",
          .learners = 1,
          .clients = 2,
          .habits = {.think = seconds(4)},
          .length = seconds(25),
          .steps = 10,
          .mix = {"crash", "crash leader", "crash leader", "isolate leader", "isolate", "split", "weather",
                  "compact", "transfer"},
          .quiesce = Replica::Quiesce::yes};
}

}  // namespace

const std::vector<GroupProfile>& GroupSimulation::profiles() {
  static const std::vector<GroupProfile> all{
      {.name = "mixed of three",
       .mix = {"crash", "crash leader", "isolate", "isolate leader", "split", "weather", "compact", "flush",
               "transfer", "slow disk"}},
      {.name = "mixed of five",
       .voters = 5,
       .learners = 1,
       .mix = {"crash", "crash leader", "isolate", "split", "weather", "compact", "transfer", "flap"}},
      {.name = "elections",
       .length = seconds(10),
       .steps = 40,
       .mix = {"crash", "crash leader", "isolate leader", "isolate leader", "crash soon", "power cut",
               "transfer"},
       .disk_latency = milliseconds(25)},
      {.name = "partitions with reads",
       .habits = readers,
       .steps = 16,
       .mix = {"isolate leader", "isolate leader", "isolate", "split", "transfer", "weather", "crash"},
       .weather = {.delay_max = milliseconds(5), .repeated = 50'000, .late = 20'000}},
      {.name = "members",
       .learners = 1,
       .length = seconds(15),
       .steps = 24,
       .mix = {"add learner", "promote", "promote", "remove", "replace", "crash", "crash leader", "isolate",
               "transfer", "compact", "wipe"}},
      {.name = "snapshots",
       .learners = 1,
       .habits = {.think = milliseconds(60)},
       .steps = 24,
       .mix = {"compact", "compact", "compact", "isolate", "crash", "crash leader", "add learner", "weather"},
       .weather = {.lost = 20'000}},
      {.name = "losses", .length = seconds(6), .steps = 3, .mix = {"wipe", "crash"}},
      {.name = "clocks",
       .habits = readers,
       .steps = 16,
       .mix = {"clocks", "isolate leader", "isolate leader", "isolate leader", "transfer"}},
      {.name = "disks",
       .mix = {"slow disk", "slow disk", "full disk", "failing disk", "crash", "crash leader", "compact",
               "flush"}},
      {.name = "slow disks with reads",
       .habits = readers,
       .length = seconds(8),
       .steps = 30,
       .mix = {"slow disk", "slow disk", "transfer", "transfer", "crash leader"},
       .disk_latency = milliseconds(50)},
      {.name = "delays with reads",
       .habits = readers,
       .length = seconds(10),
       .steps = 16,
       .mix = {"isolate leader", "isolate leader", "clocks"},
       .weather = {.delay_min = milliseconds(10), .delay_max = milliseconds(110)}},
      {.name = "transfers with reads",
       .clients = 6,
       .habits = readers,
       .length = seconds(10),
       .steps = 40,
       .mix = {"transfer", "transfer", "isolate leader", "weather"},
       .weather = {.delay_max = milliseconds(20), .late = 200'000, .late_max = milliseconds(600)}},
      idle(),
      {.name = "restarts with reads", .habits = readers, .steps = 6, .mix = {"clocks", "promise"}},
  };
  return all;
}

const GroupProfile& GroupSimulation::profile_of(std::uint64_t seed) const {
  const auto& all = profiles();
  if (!profile_) return all[seed % all.size()];
  const auto found = std::ranges::find(all, *profile_, &GroupProfile::name);
  KISEKI_ASSERT(found != all.end());
  return *found;
}

sim::Schedule GroupSimulation::plan(std::uint64_t seed) const {
  const GroupProfile& profile = profile_of(seed);
  SeededRng rng(seed);
  sim::Schedule schedule{.seed = seed, .steps = {}};
  const auto span = static_cast<std::uint64_t>(profile.length.count());
  for (std::size_t i = 0; i < profile.steps; ++i) {
    schedule.steps.push_back({.at = seconds(1) + Duration(rng.below(span)),
                              .what = std::string(profile.mix[rng.below(profile.mix.size())]),
                              .argument = rng.next()});
  }
  std::ranges::sort(schedule.steps, {}, &sim::Step::at);
  return schedule;
}

std::string GroupSimulation::run(const sim::Schedule& schedule, sim::Trace& trace) const {
  GroupWorld world(profile_of(schedule.seed), schedule.seed, trace);
  for (const sim::Step& step : schedule.steps) {
    world.advance(step.at);
    if (!world.violation().empty()) break;
    world.take(step);
  }
  if (world.violation().empty()) world.conclude();
  return world.violation();
}

}  // namespace kiseki::raft
