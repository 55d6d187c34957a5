#include "raft/replica/followers.h"

#include <algorithm>

namespace kiseki::raft::detail {

std::vector<NodeId> members_of(const ConfState& conf) {
  std::vector<NodeId> all;
  for (const auto* set : {&conf.voters, &conf.learners, &conf.voters_outgoing, &conf.learners_next}) {
    for (const NodeId node : *set) {
      if (std::ranges::find(all, node) == all.end()) all.push_back(node);
    }
  }
  return all;
}

bool is_member(const ConfState& conf, NodeId node) {
  const auto members = members_of(conf);
  return std::ranges::find(members, node) != members.end();
}

void Followers::note(const Message& answer, BootTime now) {
  Follower& follower = all_[answer.from];
  follower.heard = now;
  if (answer.type == MessageType::append_response && !answer.reject) {
    follower.confirmed = std::max(follower.confirmed, answer.index);
  }
}

Index Followers::slowest(const ConfState& conf, BootTime since, Index otherwise) const {
  Index least = otherwise;
  for (const auto& [node, follower] : all_) {
    if (follower.heard >= since && is_member(conf, node)) least = std::min(least, follower.confirmed);
  }
  return least;
}

NodeId Followers::furthest(const std::vector<NodeId>& nodes, BootTime since) const {
  NodeId best = 0;
  Index reached = 0;
  for (const auto& [node, follower] : all_) {
    if (follower.heard < since || follower.confirmed < reached ||
        std::ranges::find(nodes, node) == nodes.end())
      continue;
    best = node;
    reached = follower.confirmed;
  }
  return best;
}

}  // namespace kiseki::raft::detail
