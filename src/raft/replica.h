#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/task.h"
#include "raft/group.h"
#include "raft/log.h"
#include "raft/transport.h"

namespace kiseki::raft {

/// What a group replicates. Every call comes on the replica's core.
class StateMachine {
 public:
  virtual ~StateMachine() = default;
  /// Applies committed entries in order. Reads no clock and draws no random number; an empty `data` is a
  /// leader's first entry of its term, a conf_change is nothing but an index. A conf_change comes alone, with
  /// `conf`, the configuration from then on (null for one that changes nothing), which is stored in the same
  /// step as the applied index. So every entry meets the configuration as of the one before it, wherever a
  /// replica began or its batches end. A failure is final for the node.
  virtual Result<> apply(std::span<const Entry> committed, const ConfState* conf) = 0;
  /// The last index applied, from the state machine's own store.
  virtual Index applied() const = 0;
  /// The configuration as of `applied`: the last given to `apply`, or of the snapshot that was installed.
  /// Nothing while there was none: then it is that of the log's base.
  virtual std::optional<ConfState> configuration() const = 0;
  /// The index applied, as it would be after a crash now: what the log may forget.
  virtual Result<Index> applied_durable() const = 0;
  /// The replica gained or lost leadership; proposals that were under way may still commit.
  virtual void leadership(Role role, Term term) = 0;
  /// The group goes on without this replica, for good, as its own committed configuration proves: by this
  /// replica's log, or by the word of a majority of its voters. Its data may go, its id never comes back.
  virtual void removed() = 0;
  /// The replica has failed for good: no entry and no answer will come from it.
  virtual void failed() = 0;
};

/// One replica of one group: drives the engine, carries out its effects in the order of persist, send, apply,
/// and gives what is committed to the state machine. Belongs to one core.
class Replica {
 public:
  /// Whether a group of several voters that has nothing to do stops its heartbeats. Then the node watches the
  /// other nodes, and calls `wake` when one of them is lost.
  enum class Quiesce : std::uint8_t { no, yes };
  struct Options {
    GroupId group;
    ReplicaId replica = 1;   ///< Of this node, and the one the log is of.
    std::uint64_t seed = 0;  ///< Of the election timeouts.
    Duration tick = std::chrono::milliseconds(100);
    std::uint32_t heartbeat_ticks = 2;
    std::uint32_t election_ticks = 20;  ///< Far above the worst flush, whose end answers to heartbeats await.
    std::uint32_t election_ticks_max = 40;
    /// How much faster or slower than true a node's clock may run, in thousandths: the margin of leases.
    std::uint32_t clock_drift_max = 10;
    /// Entries proposed and not applied, and bytes proposed and not committed; beyond: `busy`.
    std::size_t proposals_max = 4096;
    Bytes uncommitted_max = 16_MiB;
    /// What `compact` leaves in the log for followers that still answer.
    Index retained_max = 100'000;
    Bytes retained_bytes_max = 256_MiB;
    Quiesce quiesce = Quiesce::no;
    /// Nodes that may know the group. Who is left alone before it knows any member asks them whether the
    /// group goes on without it.
    std::vector<NodeId> others{};
  };
  /// What a replica works with; all of it outlives the replica.
  struct Environment {
    StateMachine& machine;
    Log& log;  ///< On its own core.
    Clock& clock;
    Executor executor;
    Transport* transport = nullptr;  ///< Null: a group of this one voter alone.
    Snapshots* snapshots = nullptr;  ///< Null only without a transport.
  };

  /// Finishes the installation of a snapshot that a crash interrupted. On return a group of this one voter
  /// has elected itself and applied everything its log holds. A replica without configuration (a log created
  /// at index 0) waits for a snapshot. `corrupted` when the state machine has applied more than the log
  /// holds.
  static Task<Result<std::unique_ptr<Replica>>> open(Options options, Recovered recovered,
                                                     Environment environment);
  ~Replica();

  /// Where the proposal will stand; known before it is durable. Proposals made in one turn of the loop become
  /// one batch. The state machine learns of it by `apply`; an entry of another term there means it was
  /// replaced. `not_leader`, `busy`, `no_space`, `unavailable` after a failure.
  struct Position {
    Index index;
    Term term;
  };
  Result<Position> propose(std::string payload);
  /// Changes the members, by way of a joint configuration when it is more than one change; the leader leaves
  /// that by itself. The end shows in `status().conf`. `busy` while another change is under way. A node has
  /// one member at most; who comes back, or anew, is a replica with a number that no other had.
  Result<Position> change_members(std::span<const MemberChange> changes);
  /// The same for who gives out the ids: that of a replica that was removed or lost its log is never used
  /// again.
  Result<Position> propose_conf(std::span<const ConfChange> changes);
  /// Leases end now. Proposals are refused until it is done or an election timeout has passed.
  Result<> transfer_leader(ReplicaId to);
  /// Returns when everything committed before the call is applied here, and this replica was the leader
  /// meanwhile. `not_leader` on followers and learners: they never answer reads. `timed_out` when no majority
  /// answers within an election timeout.
  Task<Result<>> read_barrier();
  /// Whether the state as applied here is the newest, without asking anybody: for the one voter of a group,
  /// or under a lease. Who reads by it asks once more after the read; when that says no, the answer counts
  /// for nothing and the way is `read_barrier`.
  bool reads_locally() const;
  Role role() const;
  Term term() const;
  /// Members, leader and positions.
  GroupStatus status() const;

  /// What other replicas sent to this one. `frame` owns what the messages point into; without it their bytes
  /// are copied. What is malformed, stale or impossible counts as lost.
  void step(std::span<const Message> messages, FramePtr frame);
  /// Stages what `source` brings, then takes `message`, of type snapshot. `busy` while another is taken in.
  Task<Result<>> receive_snapshot(Message message, SnapshotSource& source);
  /// Messages to that replica were lost, as far as the transport knows.
  void unreachable(ReplicaId replica);
  /// A node was lost: an idle group goes on watching its leader.
  void wake();
  bool is_removed() const;

  /// Lets the log forget what the state machine holds durably, but for what followers that still answer lack.
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
