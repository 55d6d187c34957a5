#pragma once

#include <map>

#include "base/clock.h"
#include "raft/types.h"

namespace kiseki::raft::detail {

/// What the leader knows of the others: how far their logs agree with its own, and since when they are
/// silent.
class Followers {
 public:
  void clear() { all_.clear(); }
  void note(const Message& answer, BootTime now);
  /// The least confirmed index of those members that answered since `since`; `otherwise` without any.
  Index slowest(const ConfState& conf, BootTime since, Index otherwise) const;
  /// The furthest of `replicas` that answered since `since`; 0 without any.
  ReplicaId furthest(const std::vector<ReplicaId>& replicas, BootTime since) const;

 private:
  struct Follower {
    Index confirmed = 0;
    BootTime heard;
  };
  std::map<ReplicaId, Follower> all_;
};

}  // namespace kiseki::raft::detail
