#include "raft/replica/followers.h"

#include <algorithm>

#include "raft/members.h"

namespace kiseki::raft::detail {

void Followers::note(const Message& answer, BootTime now) {
  Follower& follower = all_[answer.from];
  follower.heard = now;
  if (answer.type == MessageType::append_response && !answer.reject) {
    follower.confirmed = std::max(follower.confirmed, answer.index);
  }
}

Index Followers::slowest(const ConfState& conf, BootTime since, Index otherwise) const {
  Index least = otherwise;
  for (const auto& [replica, follower] : all_) {
    if (follower.heard >= since && is_member(conf, replica)) least = std::min(least, follower.confirmed);
  }
  return least;
}

ReplicaId Followers::furthest(const std::vector<ReplicaId>& replicas, BootTime since) const {
  ReplicaId best = 0;
  Index reached = 0;
  for (const auto& [replica, follower] : all_) {
    if (follower.heard < since || follower.confirmed < reached ||
        std::ranges::find(replicas, replica) == replicas.end())
      continue;
    best = replica;
    reached = follower.confirmed;
  }
  return best;
}

}  // namespace kiseki::raft::detail
