#pragma once

#include <map>

#include "base/clock.h"
#include "raft/types.h"

namespace kiseki::raft::detail {

std::vector<NodeId> members_of(const ConfState& conf);
bool is_member(const ConfState& conf, NodeId node);

/// What the leader knows of the others: how far their logs agree with its own, and since when they are
/// silent.
class Followers {
 public:
  void clear() { all_.clear(); }
  void note(const Message& answer, BootTime now);
  /// The least confirmed index of those members that answered since `since`; `otherwise` without any.
  Index slowest(const ConfState& conf, BootTime since, Index otherwise) const;
  /// The furthest of `nodes` that answered since `since`; 0 without any.
  NodeId furthest(const std::vector<NodeId>& nodes, BootTime since) const;

 private:
  struct Follower {
    Index confirmed = 0;
    BootTime heard;
  };
  std::map<NodeId, Follower> all_;
};

}  // namespace kiseki::raft::detail
