#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/task.h"
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
  /// The replica has failed for good: no entry and no answer will come from it.
  virtual void failed() = 0;
};

/// One replica of one group: drives the engine, carries out its effects in the order of persist, send, apply,
/// and gives what is committed to the state machine. Belongs to one core. Groups of one voter so far: there
/// is no transport.
class Replica {
 public:
  struct Options {
    GroupId group;
    NodeId node = 1;
    std::uint64_t seed = 0;  ///< Of the election timeouts.
    Duration tick = std::chrono::milliseconds(100);
    std::size_t proposals_max = 4096;  ///< Entries proposed and not applied; beyond: `busy`.
  };
  /// What a replica works with; all of it outlives the replica.
  struct Services {
    StateMachine& machine;
    Log& log;  ///< On its own core.
    Clock& clock;
    Executor executor;
  };

  /// On return a one-voter group has elected itself and applied everything its log holds. `corrupted` when
  /// the state machine has applied more than that, `not_supported` for more voters.
  static Task<Result<std::unique_ptr<Replica>>> open(Options options, Recovered recovered, Services services);
  ~Replica();

  /// Where the proposal will stand; known before it is durable. Proposals made in one turn of the loop become
  /// one batch. The state machine learns of it by `apply`; an entry of another term there means it was
  /// replaced. `not_leader`, `busy`, `no_space`, `unavailable` after a failure.
  struct Position {
    Index index;
    Term term;
  };
  Result<Position> propose(std::string payload);
  /// Returns when everything committed before the call is applied here, and this replica was the leader
  /// meanwhile.
  Task<Result<>> read_barrier();
  /// True while `read_barrier` would return at once: the one voter of a group that has applied an entry of
  /// its term.
  bool reads_locally() const;
  Role role() const;
  Term term() const;
  /// Lets the log forget what the state machine holds durably.
  Task<Result<>> compact();
  /// Set when the replica has failed for good (the log refused a write): the node must stop.
  const std::optional<Error>& failure() const;
  /// Returns when nothing is under way; what is not persisted by then may be lost. No call may follow.
  Task<> stop();

 private:
  class Driver;
  explicit Replica(std::unique_ptr<Driver> driver);
  std::unique_ptr<Driver> driver_;
};

}  // namespace kiseki::raft
