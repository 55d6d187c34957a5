#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/core.h"
#include "base/scope.h"
#include "raft/log.h"
#include "raft/types.h"

namespace kiseki::raft {

/// What a group replicates. Every call comes on the replica's core.
class StateMachine {
 public:
  virtual ~StateMachine() = default;
  /// Applies committed entries in order. Reads no clock and draws no random number; an empty `data` is a
  /// leader's first entry of its term. A failure is final for the node.
  virtual Result<> apply(std::span<const Entry> committed) = 0;
  /// The last index applied, from the state machine's own store.
  virtual Index applied() const = 0;
  /// The same, as it would be after a crash now: what the log may forget.
  virtual Result<Index> applied_durable() const = 0;
  /// The replica gained or lost leadership; proposals that were under way may still commit.
  virtual void leadership(Role role, Term term) = 0;
};

/// One replica of one group: drives the engine, carries out its effects in the order of CONSENSUS section 3,
/// and gives what is committed to the state machine. Belongs to one core.
class Replica {
 public:
  struct Options {
    GroupId group;
    NodeId node = 1;
    std::uint64_t seed = 0;  ///< Of the election timeouts.
    Duration tick = std::chrono::milliseconds(100);
    std::size_t proposals_max = 4096;  ///< Entries proposed and not applied; beyond: `busy`.
  };

  /// `machine`, `log` and `clock` outlive the replica. On return a one-voter group has elected itself and
  /// applied everything its log holds.
  static Task<Result<std::unique_ptr<Replica>>> open(Options options, Recovered recovered,
                                                     StateMachine& machine, Log& log, Clock& clock,
                                                     Executor executor);
  virtual ~Replica() = default;

  /// Where the proposal will stand; known before it is durable. Proposals made in one turn of the loop become
  /// one batch. The state machine learns of it by `apply`; an entry of another term there means it was
  /// replaced. `not_leader`, `busy`.
  struct Position {
    Index index;
    Term term;
  };
  virtual Result<Position> propose(std::string payload) = 0;
  /// Returns when everything committed before the call is applied here, and this replica was the leader
  /// meanwhile.
  virtual Task<Result<>> read_barrier() = 0;
  /// True while `read_barrier` would return at once: the one voter of a group that has applied an entry of
  /// its term.
  virtual bool reads_locally() const = 0;
  virtual Role role() const = 0;
  virtual Term term() const = 0;
  /// Lets the log forget what the state machine holds durably.
  virtual Task<Result<>> compact() = 0;
  /// Ends when the replica has failed for good (the log refused a write): the node must stop.
  virtual const std::optional<Error>& failure() const = 0;
  virtual Task<> stop() = 0;
};

}  // namespace kiseki::raft
