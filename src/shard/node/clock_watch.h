#pragma once

#include <map>
#include <optional>

#include "shard/node/stamp_clock.h"
#include "shard/peers.h"

namespace kiseki::shard::detail {

/// Compares the wall clock of this node with those of the others, and sets its stamp clock by it while they
/// agree. What an answer took on its way is counted in favour of whoever sent it.
class ClockWatch {
 public:
  /// No peers: the clock of a node alone is right.
  ClockWatch(Peers* peers, raft::NodeId here, Clock& clock, StampClock& stamps)
      : peers_(peers), here_(here), clock_(clock), stamps_(stamps) {}

  /// Asks every node.
  Task<> look();
  /// A majority answered the last look, and the clock there and those of a majority are not far apart.
  bool is_near(raft::NodeId node) const;
  /// A majority answered, and the clock here is not near.
  bool is_off() const { return has_majority(offsets_.size()) && !is_near(here_); }

 private:
  /// How far a clock is ahead of the one here, at least and at most.
  struct Offset {
    Duration least, most;
  };
  /// The clocks here at the beginning of a look: this one may jump during it.
  struct Reading {
    WallTime wall;
    BootTime boot;
    WallTime at(BootTime now) const { return wall + (now - boot); }
  };
  Task<std::optional<Offset>> ask(raft::NodeId node, Reading own);
  bool has_majority(std::size_t count) const { return count > nodes_ / 2; }

  Peers* const peers_;
  const raft::NodeId here_;
  Clock& clock_;
  StampClock& stamps_;
  std::map<raft::NodeId, Offset> offsets_;  // of those that answered, and 0 of this node
  std::size_t nodes_ = 1;
};

}  // namespace kiseki::shard::detail
