#pragma once

#include <map>
#include <optional>

#include "base/clock.h"
#include "shard/peers.h"

namespace kiseki::shard::detail {

/// How far apart wall clocks may be before a node must not give stamps any more (rule 1.7).
inline constexpr Duration skew_max = std::chrono::milliseconds(500);

/// Compares the wall clock of this node with those of the others. What an answer took on its way is counted
/// in favour of whoever sent it.
class ClockWatch {
 public:
  ClockWatch(Peers& peers, raft::NodeId here, Clock& clock) : peers_(peers), here_(here), clock_(clock) {}

  /// Asks every node.
  Task<> look();
  /// The clock here and those of a majority, as far as they answered the last look, agree.
  bool is_right() const { return is_near(here_); }
  bool is_near(raft::NodeId node) const;

 private:
  /// How far a clock is ahead of the one here, at least and at most.
  struct Offset {
    Duration least, most;
  };
  Task<std::optional<Offset>> ask(raft::NodeId node);

  Peers& peers_;
  const raft::NodeId here_;
  Clock& clock_;
  std::map<raft::NodeId, Offset> offsets_;  // of those that answered, and 0 of this node
  std::size_t nodes_ = 1;
};

}  // namespace kiseki::shard::detail
