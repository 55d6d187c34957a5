#include "sim/cluster_checks.h"

#include <fmt/format.h>

#include "shard/testing/replica_checks.h"

namespace kiseki::sim {

bool is_settled(SimulatedCluster& cluster, ClusterMembers& members) {
  if (!members.is_done()) return false;
  const auto leaders = cluster.leaders();
  for (const raft::NodeId id : members.wanted()) {
    ClusterNode& node = cluster.node(id);
    const auto statuses = node.statuses();
    if (statuses.size() != leaders.size()) return false;
    for (const auto& status : statuses) {
      const auto leader = leaders.find(status.id);
      if (leader == leaders.end()) return false;
      const auto& top = leader->second.second;
      if (top.applied != top.replica.last || status.applied != top.applied || status.first > status.last) {
        return false;
      }
    }
  }
  return true;
}

namespace {

std::string name_of(raft::ReplicaId replica) {
  return fmt::format(" {}.{}", raft::node_of(replica), raft::number_of(replica));
}

}  // namespace

std::string describe(SimulatedCluster& cluster) {
  std::string words;
  for (const auto& [id, node] : cluster.nodes()) {
    words += fmt::format("\nnode {}{}", id, node->is_gone() ? " gone" : node->is_up() ? "" : " down");
    for (const auto& one : node->statuses()) {
      words += fmt::format("; shard {} [{}, {}] applied {} of {} term {}{} voters", one.id.value(), one.first,
                           one.last, one.applied, one.replica.last, one.replica.term,
                           one.leader() ? " leads" : "");
      for (const raft::ReplicaId voter : one.replica.conf.voters) words += name_of(voter);
      if (!one.replica.conf.learners.empty()) words += " learners";
      for (const raft::ReplicaId learner : one.replica.conf.learners) words += name_of(learner);
      if (!one.replica.conf.voters_outgoing.empty()) words += " joint";
    }
  }
  return words;
}

std::string contradiction(SimulatedCluster& cluster, const std::set<raft::NodeId>& wanted) {
  const raft::NodeId first = *wanted.begin();
  const shard::Content content = shard::content_of(cluster.node(first).store());
  if (auto words = shard::unfinished(content); !words.empty()) return words;
  for (const raft::NodeId id : wanted) {
    ClusterNode& node = cluster.node(id);
    if (auto words = shard::contradiction_of_ranges(node.statuses(), node.store()); !words.empty()) {
      return fmt::format("node {}: {}", id, words);
    }
    if (auto words = shard::difference(content, shard::content_of(node.store())); !words.empty()) {
      return fmt::format("nodes {} and {} differ: {}", first, id, words);
    }
  }
  for (const auto& [id, node] : cluster.nodes()) {
    if (node->is_up() && !wanted.contains(id) && !node->statuses().empty()) {
      return fmt::format("node {} has left and keeps replicas{}", id, describe(cluster));
    }
  }
  return {};
}

}  // namespace kiseki::sim
