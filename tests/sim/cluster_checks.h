#pragma once

#include "sim/cluster_members.h"

namespace kiseki::sim {

/// Whether every shard has a leader, whose members have all applied the same and have nothing to do.
bool is_settled(SimulatedCluster& cluster, ClusterMembers& members);
/// Where the shards stand, for people.
std::string describe(SimulatedCluster& cluster);
/// Of a settled cluster whose nodes are the wanted ones: what contradicts that every node has the whole key
/// space once, the same rows as the others, no transaction that nobody ends, and the shards that the map
/// says. Empty: nothing.
std::string contradiction(SimulatedCluster& cluster, const std::set<raft::NodeId>& wanted);

}  // namespace kiseki::sim
