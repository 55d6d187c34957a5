#pragma once

#include <memory>
#include <optional>

#include "raft/testing/group_history.h"
#include "raft/testing/simulated_transport.h"
#include "sim/simulated_disk.h"
#include "sim/simulation.h"

namespace kiseki::raft {

/// What all simulated nodes of a group share.
struct GroupSurroundings {
  sim::SimulatedLoop& loop;
  sim::SimulatedNetwork& network;
  GroupHistory& history;
  sim::Trace& trace;
  Replica::Options options;
  Duration disk_latency;
};

/// A node with its disk, its store and, while it runs, a log and one replica.
class GroupNode {
 public:
  /// A call that awaits what its command comes to.
  struct Waiter {
    Term term;
    std::optional<bool> is_done;  ///< False: a refused swap. Nothing: it may come to anything.
    Event answered;
  };
  /// Counts a call under way, so that the replica outlives it.
  class Visit {
   public:
    explicit Visit(GroupNode& node) : node_(node) { ++node_.visits_; }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    ~Visit() { --node_.visits_; }

   private:
    GroupNode& node_;
  };

  /// `base` is what its log begins with: a configuration, or index 0 for a node that is to be filled.
  GroupNode(GroupSurroundings surroundings, NodeId id, std::uint64_t seed, SnapshotMeta base);
  ~GroupNode();

  NodeId id() const { return id_; }
  bool is_up() const { return replica_ != nullptr && !is_stopping_; }
  /// Was told to go, or lost everything.
  bool is_gone() const { return is_gone_; }
  Replica& replica() { return *replica_; }
  RegisterMachine& machine() { return *machine_; }
  sim::SimulatedDisk& disk() { return disk_; }
  sim::SimulatedClock& clock() { return clock_; }
  sim::CrashableKv& store() { return *store_; }
  bool is_leader() const { return is_up() && replica_->role() == Role::leader; }

  /// Recovers. What the disk's faults prevent leaves it down.
  void start();
  /// Power cut.
  void crash();
  /// As a node that is thrown away.
  void destroy();
  /// Loses all it ever wrote, and keeps its name.
  void wipe(SnapshotMeta base);
  /// Restarts after a failure that a fault explains, and goes when it was told so.
  void mind();

  void await(Index index, Waiter& waiter);
  void forget(Index index, const Waiter& waiter);

 private:
  Result<> open_log();
  Result<> open_replica();
  void stop();
  void on_applied(const RegisterMachine::Applied& applied);
  bool is_explained(const Error& error) const;

  GroupSurroundings around_;
  NodeId id_;
  SeededRng rng_;
  SnapshotMeta base_;
  sim::SimulatedClock clock_;
  sim::SimulatedDisk disk_;
  std::unique_ptr<sim::CrashableKv> store_;
  std::unique_ptr<RegisterMachine> machine_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<SimulatedTransport> transport_;
  std::unique_ptr<Replica> replica_;
  std::map<Index, Waiter*> waiters_;
  std::size_t lives_ = 0;
  std::size_t visits_ = 0;
  bool is_stopping_ = false;
  bool was_removed_ = false;
  bool is_gone_ = false;
};

}  // namespace kiseki::raft
