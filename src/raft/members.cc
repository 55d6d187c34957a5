#include "raft/members.h"

#include <algorithm>
#include <limits>

namespace kiseki::raft {

std::vector<ReplicaId> members_of(const ConfState& conf) {
  std::vector<ReplicaId> all;
  for (const auto* set : {&conf.voters, &conf.learners, &conf.voters_outgoing, &conf.learners_next}) {
    for (const ReplicaId replica : *set) {
      if (std::ranges::find(all, replica) == all.end()) all.push_back(replica);
    }
  }
  return all;
}

bool is_member(const ConfState& conf, ReplicaId replica) {
  const auto members = members_of(conf);
  return std::ranges::find(members, replica) != members.end();
}

ReplicaId member_on(const ConfState& conf, NodeId node) {
  const auto members = members_of(conf);
  const auto found = std::ranges::find(members, node, node_of);
  return found == members.end() ? 0 : *found;
}

ConfState following(const ConfState& before, ConfState changed) {
  changed.newest = before.newest;
  for (const ReplicaId replica : members_of(changed)) {
    changed.newest = std::max(changed.newest, number_of(replica));
  }
  return changed;
}

Result<std::vector<ConfChange>> resolve(const ConfState& conf, std::span<const MemberChange> changes) {
  std::vector<ConfChange> resolved;
  std::uint32_t newest = conf.newest;
  for (const MemberChange& change : changes) {
    if (change.node == 0 || change.node > node_max) return fail(Errc::invalid_argument, "no node's id");
    const auto is_named = [&](const ConfChange& one) { return node_of(one.replica) == change.node; };
    if (std::ranges::any_of(resolved, is_named)) {
      return fail(Errc::invalid_argument, "a node's member changes twice at once");
    }
    ReplicaId replica = member_on(conf, change.node);
    if (replica == 0) {
      if (change.type == ConfChange::Type::remove) return fail(Errc::invalid_argument, "no member there");
      if (newest == std::numeric_limits<std::uint32_t>::max()) {
        return fail(Errc::out_of_range, "the group has no number for another replica");
      }
      replica = replica_of(change.node, ++newest);
    }
    resolved.push_back({change.type, replica});
  }
  return resolved;
}

}  // namespace kiseki::raft
