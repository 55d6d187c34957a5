#pragma once

#include "base/clock.h"
#include "raft/replica.h"

namespace kiseki::raft::detail {

/// The right of a leader to answer reads without asking anybody.
///
/// A majority that answered a heartbeat votes for nobody else until an election timeout after it received it,
/// so nobody else commits within one of the moment it was sent. The timeout is less than it seems: followers
/// count whole ticks, the first of which may come at once, and their clocks may run faster than the leader's.
class Lease {
 public:
  explicit Lease(const Replica::Options& options);

  /// A majority has answered what this leader sent at `sent`.
  void grant(Term term, BootTime sent);
  /// Ends it, as a change of members does: the next one is of the new majority.
  void drop() { term_ = 0; }
  /// None in this term any more: the order to campaign that ends a transfer overrides the promise of the
  /// voters, and it may arrive long after the transfer was given up.
  void bar(Term term);
  bool holds(Term term, BootTime now) const { return term_ == term && now < until_; }
  /// Less than half is left.
  bool is_waning(BootTime now) const { return until_ - now < length_ / 2; }

 private:
  Duration length_;
  Term term_ = 0;
  Term barred_ = 0;
  BootTime until_{};
};

}  // namespace kiseki::raft::detail
