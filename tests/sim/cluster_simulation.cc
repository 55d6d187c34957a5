#include "sim/cluster_simulation.h"

#include <algorithm>
#include <fmt/format.h>

#include "sim/cluster_checks.h"
#include "sim/cluster_users.h"

namespace kiseki::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Argument = std::uint64_t;

constexpr Duration settle_limit = seconds(120);

Duration up_to(Argument argument, Duration most) {
  return Duration(argument % static_cast<std::uint64_t>(most.count()));
}

/// One cluster through its troubles.
class Run {
 public:
  Run(const ClusterProfile& profile, const Schedule& schedule, Trace& trace)
      : schedule_(schedule),
        cluster_(profile.nodes, schedule.seed, trace),
        members_(cluster_, profile.nodes, schedule.seed),
        users_(cluster_, schedule.seed, profile.users_a_node),
        jobs_(cluster_.loop().executor()) {
    cluster_.on_watch([this] { members_.work(); });
  }
  ~Run() { stop_jobs(); }

  std::string words() {
    users_.begin();
    const Duration began = cluster_.passed();
    for (const Step& step : schedule_.steps) {
      cluster_.advance(began + step.at);
      if (!cluster_.violation().empty()) return cluster_.violation();
      take(step);
      users_.start();
    }
    conclude();
    return cluster_.violation();
  }

 private:
  void take(const Step& step) {
    cluster_.trace().note(cluster_.loop().now(),
                          [&] { return fmt::format("step: {} {}", step.what, step.argument); });
    const Argument argument = step.argument >> 8;
    ClusterNode* node = cluster_.pick(step.argument & 0xff);
    if (step.what.ends_with("leader")) node = a_leader(step.argument & 0xff);
    if (step.what == "power cut") return cut_power(argument);
    if (step.what == "part") return part(argument);
    if (step.what == "weather") return set_weather(argument);
    if (step.what == "storm") return lose_much();
    if (step.what == "clocks") return set_clocks(argument);
    if (step.what == "split") return split(argument);
    if (step.what == "transfer") return transfer(argument);
    if (step.what == "join") return members_.join();
    if (step.what == "leave") return members_.leave(argument);
    if (step.what == "come back") return members_.come_back(argument);
    if (step.what == "replace") return members_.replace(argument);
    if (step.what == "reconnect") return users_.reconnect(argument);
    if (node == nullptr) return;
    if (step.what.starts_with("crash")) return crash(*node, argument);
    if (step.what.starts_with("isolate")) return isolate(node->id(), argument);
    if (step.what == "slow disk") return slow_disk(*node, argument);
    if (step.what == "full disk") return fill_disk(*node, argument);
  }

  ClusterNode* a_leader(Argument argument) {
    const auto leaders = cluster_.leaders();
    if (leaders.empty()) return nullptr;
    return std::next(leaders.begin(), static_cast<std::ptrdiff_t>(argument % leaders.size()))->second.first;
  }

  void crash(ClusterNode& node, Argument argument) {
    const auto how = argument % 3 == 0 ? ClusterNode::End::kill : ClusterNode::End::power_cut;
    cluster_.restart(node, how, argument % 2 == 0 ? milliseconds(1) : up_to(argument >> 4, seconds(8)));
  }

  /// Of all nodes at once.
  void cut_power(Argument argument) {
    for (const raft::NodeId id : cluster_.living()) cluster_.node(id).disk().crash();
    for (const raft::NodeId id : cluster_.living()) {
      cluster_.restart(cluster_.node(id), ClusterNode::End::power_cut, up_to(argument >> id, seconds(2)));
    }
  }

  /// Both ways, one way or in turns; by argument longer than a silent session lives.
  void isolate(raft::NodeId node, Argument argument) {
    for (const raft::NodeId other : cluster_.living()) {
      if (other == node) continue;
      if (argument % 4 == 3) {
        cluster_.network().flap(node, other, milliseconds(600));
      } else {
        if (argument % 4 != 1) cluster_.network().cut(node, other);
        if (argument % 4 != 2) cluster_.network().cut(other, node);
      }
    }
    cluster_.later(milliseconds(500) + up_to(argument >> 2, seconds(14)),
                   [this] { cluster_.network().heal_all(); });
  }

  void part(Argument argument) {
    std::vector<std::set<SimulatedNetwork::Node>> parts(2);
    for (const raft::NodeId id : cluster_.living()) parts[(argument >> (id % 16)) & 1].insert(id);
    cluster_.network().part(parts);
    cluster_.later(milliseconds(500) + up_to(argument >> 16, seconds(8)),
                   [this] { cluster_.network().heal_all(); });
  }

  void set_weather(Argument argument) {
    auto& weather = cluster_.network().weather();
    weather.lost = argument % 3 == 0 ? 50'000 : 0;
    weather.repeated = argument % 5 == 0 ? 100'000 : 10'000;
    weather.late = argument % 2 == 0 ? 30'000 : 0;
    weather.delay_max = milliseconds(1 + (argument >> 8) % 40);
  }

  void lose_much() { cluster_.network().weather().lost = 200'000; }

  /// Wall clocks that are minutes off, and clocks that go too fast or too slow.
  void set_clocks(Argument argument) {
    for (const raft::NodeId id : cluster_.living()) {
      const Argument mine = argument >> (id % 8 * 4);
      if (mine % 2 == 0) cluster_.node(id).clock().set_wall_offset(seconds(mine % 600) - seconds(300));
      cluster_.node(id).clock().set_drift(mine % 3 == 0 ? -10 : 10);
    }
  }

  void slow_disk(ClusterNode& node, Argument argument) {
    node.disk().faults().slow = 200'000;
    node.disk().faults().slow_latency = milliseconds(20 + argument % 400);
    cluster_.later(milliseconds(500) + up_to(argument >> 9, seconds(5)),
                   [&node] { node.disk().faults() = {}; });
  }

  void fill_disk(ClusterNode& node, Argument argument) {
    node.set_full(true);
    cluster_.later(milliseconds(500) + up_to(argument, seconds(5)), [&node] { node.set_full(false); });
  }

  /// At a row or beside it, by any node.
  void split(Argument argument) {
    ClusterNode* node = cluster_.pick(argument >> 8);
    const auto& rows = users_.rows();
    const auto first =
        static_cast<shard::Slot>(shard::slot_of(rows[argument % rows.size()].leaf) + argument / 16 % 2);
    for (const auto& [shard, leader] : cluster_.leaders()) {
      if (leader.second.first < first && first <= leader.second.last) {
        return jobs_.spawn(split_at(*node, shard, first));
      }
    }
  }

  Task<> split_at(ClusterNode& node, ShardId shard, shard::Slot first) {
    if (!node.is_up()) co_return;
    const ClusterNode::Visit visit(node);
    const auto child = co_await node.shards().split(shard, first);
    cluster_.trace().note(cluster_.loop().now(), [&] {
      return fmt::format("split of shard {} at {} by node {}: {}", shard.value(), first, node.id(),
                         child ? fmt::format("shard {}", child->value()) : child.error().to_string());
    });
  }

  void transfer(Argument argument) {
    const auto leaders = cluster_.leaders();
    if (leaders.empty()) return;
    const auto& [shard, leader] =
        *std::next(leaders.begin(), static_cast<std::ptrdiff_t>(argument % leaders.size()));
    const auto& voters = leader.second.replica.conf.voters;
    jobs_.spawn(transfer_to(*leader.first, shard, raft::node_of(voters[(argument >> 8) % voters.size()])));
  }

  Task<> transfer_to(ClusterNode& node, ShardId shard, raft::NodeId to) {
    if (!node.is_up()) co_return;
    const ClusterNode::Visit visit(node);
    std::ignore = co_await node.shards().transfer_leader(shard, to);
  }

  void stop_jobs() {
    jobs_.request_stop();
    cluster_.loop().get(jobs_.stop());
  }

  void settle() {
    const Duration limit = cluster_.passed() + settle_limit;
    while (cluster_.violation().empty() && !is_settled(cluster_, members_)) {
      if (cluster_.passed() > limit) {
        return cluster_.violate("no progress after the trouble ended" + describe(cluster_));
      }
      cluster_.advance(cluster_.passed() + milliseconds(500));
      for (const auto& [id, node] : cluster_.nodes()) cluster_.start(*node);
    }
  }

  /// Ends the trouble, waits until all have caught up, and judges.
  void conclude() {
    cluster_.heal();
    // Users go on for a while, so that what is wrong by now shows in an answer; silent sessions are fenced.
    cluster_.advance(cluster_.passed() + seconds(12));
    cluster_.expect_calm();
    cluster_.advance(cluster_.passed() + seconds(2));
    stop_jobs();
    users_.stop();
    settle();
    if (!cluster_.violation().empty()) return;
    if (users_.committed() == 0) return cluster_.violate("nothing was acknowledged");
    users_.judge();
    cluster_.advance(cluster_.passed() + seconds(5));
    settle();
    if (!cluster_.violation().empty()) return;
    members_.stop();
    if (auto words = contradiction(cluster_, members_.wanted()); !words.empty()) {
      cluster_.violate(std::move(words));
    }
  }

  const Schedule& schedule_;
  SimulatedCluster cluster_;
  ClusterMembers members_;
  ClusterUsers users_;
  Scope jobs_;
};

}  // namespace

const std::vector<ClusterProfile>& ClusterSimulation::profiles() {
  static const std::vector<ClusterProfile> all{
      {.name = "three",
       .mix = {"crash", "crash leader", "isolate", "isolate leader", "part", "weather", "split", "split",
               "transfer", "reconnect", "slow disk", "full disk", "clocks", "power cut"}},
      {.name = "five",
       .nodes = 5,
       .users_a_node = 1,
       .mix = {"crash", "crash", "crash leader", "isolate", "isolate leader", "part", "weather", "split",
               "transfer", "reconnect", "clocks"}},
      {.name = "handovers",
       .length = seconds(15),
       .steps = 40,
       .mix = {"transfer", "transfer", "transfer", "storm"}},
      {.name = "laggards", .steps = 16, .mix = {"isolate", "isolate", "split", "split", "split", "crash"}},
      {.name = "members",
       .users_a_node = 1,
       .length = seconds(40),
       .steps = 18,
       .mix = {"join", "join", "leave", "replace", "replace", "split", "split", "crash", "crash leader",
               "isolate", "transfer", "weather", "reconnect"}},
      {.name = "returns",
       .nodes = 4,
       .users_a_node = 1,
       .length = seconds(60),
       .steps = 30,
       .mix = {"leave", "leave", "leave", "come back", "come back", "come back", "split", "crash",
               "crash leader", "isolate", "isolate leader", "transfer", "weather", "weather"}},
  };
  return all;
}

const ClusterProfile& ClusterSimulation::profile_of(std::uint64_t seed) const {
  const auto& all = profiles();
  if (!profile_) return all[seed % all.size()];
  const auto found = std::ranges::find(all, *profile_, &ClusterProfile::name);
  KISEKI_ASSERT(found != all.end());
  return *found;
}

Schedule ClusterSimulation::plan(std::uint64_t seed) const {
  const ClusterProfile& profile = profile_of(seed);
  SeededRng rng(seed);
  Schedule schedule{.seed = seed, .steps = {}};
  for (std::size_t i = 0; i < profile.steps; ++i) {
    schedule.steps.push_back({.at = Duration(rng.below(static_cast<std::uint64_t>(profile.length.count()))),
                              .what = std::string(profile.mix[rng.below(profile.mix.size())]),
                              .argument = rng.next()});
  }
  std::ranges::sort(schedule.steps, {}, &Step::at);
  return schedule;
}

std::string ClusterSimulation::run(const Schedule& schedule, Trace& trace) const {
  return Run(profile_of(schedule.seed), schedule, trace).words();
}

}  // namespace kiseki::sim
