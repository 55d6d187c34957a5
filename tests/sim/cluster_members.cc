#include "sim/cluster_members.h"

#include <algorithm>
#include <fmt/format.h>

#include "raft/members.h"

namespace kiseki::sim {

namespace {

using Change = raft::MemberChange;
using Type = raft::ConfChange::Type;
using std::chrono::milliseconds;

constexpr std::size_t nodes_max = 9;
constexpr raft::Index near = 100;

bool holds(const std::vector<raft::ReplicaId>& replicas, raft::NodeId node) {
  return std::ranges::find(replicas, node, raft::node_of) != replicas.end();
}

bool is_steady(const raft::GroupStatus& status) {
  return status.conf.voters_outgoing.empty() && status.conf.learners_next.empty() && !status.conf_pending;
}

}  // namespace

ClusterMembers::ClusterMembers(SimulatedCluster& cluster, std::size_t founders, std::uint64_t seed)
    : cluster_(cluster), rng_(seed ^ 0x3e3be25), scope_(cluster.loop().executor()) {
  for (raft::NodeId id = 1; id <= founders; ++id) wanted_.insert(id);
}

void ClusterMembers::stop() {
  scope_.request_stop();
  cluster_.loop().get(scope_.stop());
}

void ClusterMembers::join() {
  if (cluster_.nodes().size() >= nodes_max || !is_done()) return;
  wanted_.insert(cluster_.add().id());
}

void ClusterMembers::leave(std::uint64_t argument) {
  if (wanted_.size() <= 3 || !is_done()) return;
  const auto going = std::next(wanted_.begin(), static_cast<std::ptrdiff_t>(argument % wanted_.size()));
  cluster_.trace().note(cluster_.loop().now(), [&] { return fmt::format("node {} is to leave", *going); });
  wanted_.erase(going);
}

/// Whether its earlier replicas are all gone by then is left to chance.
void ClusterMembers::come_back(std::uint64_t argument) {
  std::vector<raft::NodeId> away;
  for (const raft::NodeId id : cluster_.living()) {
    if (!wanted_.contains(id)) away.push_back(id);
  }
  if (away.empty() || !is_done()) return;
  const raft::NodeId back = away[argument % away.size()];
  cluster_.trace().note(cluster_.loop().now(), [&] { return fmt::format("node {} is to come back", back); });
  wanted_.insert(back);
}

void ClusterMembers::replace(std::uint64_t argument) {
  if (cluster_.nodes().size() >= nodes_max || !is_done()) return;
  for (const auto& [shard, leader] : cluster_.leaders()) {
    for (const raft::NodeId id : wanted_) {
      if (!is_near(id, shard, leader.second.applied)) return;
    }
  }
  const raft::NodeId lost =
      *std::next(wanted_.begin(), static_cast<std::ptrdiff_t>(argument % wanted_.size()));
  cluster_.node(lost).destroy();
  wanted_.erase(lost);
  wanted_.insert(cluster_.add().id());
}

bool ClusterMembers::is_near(raft::NodeId node, ShardId shard, raft::Index applied) {
  return std::ranges::any_of(cluster_.node(node).statuses(), [&](const auto& status) {
    return status.id == shard && status.first <= status.last && status.applied + near >= applied;
  });
}

void ClusterMembers::work() {
  if (cluster_.loop().now() < next_ || scope_.stopping()) return;
  next_ = cluster_.loop().now() + milliseconds(700);
  for (const auto& [shard, leader] : cluster_.leaders()) {
    if (is_steady(leader.second.replica)) take_step(*leader.first, leader.second);
  }
}

void ClusterMembers::take_step(ClusterNode& at, const shard::Node::ShardStatus& leader) {
  const auto& status = leader.replica;
  std::vector<Change> changes;
  for (const raft::ReplicaId member : raft::members_of(status.conf)) {
    const raft::NodeId id = raft::node_of(member);
    if (!wanted_.contains(id)) changes.push_back({Type::remove, id});
  }
  const bool is_joint = !changes.empty();
  for (const raft::NodeId id : wanted_) {
    if (holds(status.conf.voters, id)) continue;
    const bool is_learner = holds(status.conf.learners, id);
    if (is_learner && !is_joint && !is_near(id, leader.id, leader.applied)) continue;
    // One empty voter for one that goes; more could leave no majority that has a state.
    if (is_joint && changes.back().type == Type::add_voter) break;
    changes.push_back({is_joint || is_learner ? Type::add_voter : Type::add_learner, id});
  }
  if (changes.empty()) return;
  const bool is_own_end = std::ranges::any_of(
      changes, [&at](const Change& change) { return change.type == Type::remove && change.node == at.id(); });
  // A leader may be told to remove itself, or leave to another first.
  if (is_own_end && rng_.below(2) == 0) {
    const auto& voters = status.conf.voters;
    return scope_.spawn(transfer(at, leader.id, raft::node_of(voters[rng_.below(voters.size())])));
  }
  scope_.spawn(change(at, leader.id, std::move(changes)));
}

Task<> ClusterMembers::change(ClusterNode& at, ShardId shard, std::vector<Change> changes) {
  if (!at.is_up()) co_return;
  const ClusterNode::Visit visit(at);
  const auto changed = co_await at.shards().change_members(shard, changes);
  cluster_.trace().note(cluster_.loop().now(), [&] {
    std::string words = fmt::format("members of shard {}:", shard.value());
    for (const auto& one : changes) words += fmt::format(" {}/{}", static_cast<int>(one.type), one.node);
    return words + (changed ? "" : " " + changed.error().to_string());
  });
}

Task<> ClusterMembers::transfer(ClusterNode& at, ShardId shard, raft::NodeId to) {
  if (!at.is_up()) co_return;
  const ClusterNode::Visit visit(at);
  std::ignore = co_await at.shards().transfer_leader(shard, to);
}

bool ClusterMembers::is_done() {
  const auto leaders = cluster_.leaders();
  std::uint32_t slots = 0;
  for (const auto& [shard, leader] : leaders) slots += leader.second.last + 1U - leader.second.first;
  return slots == 65'536 && std::ranges::all_of(leaders, [this](const auto& one) {
           const auto& status = one.second.second.replica;
           std::set<raft::NodeId> voters;
           for (const raft::ReplicaId voter : status.conf.voters) voters.insert(raft::node_of(voter));
           return is_steady(status) && status.conf.learners.empty() && voters == wanted_;
         });
}

}  // namespace kiseki::sim
