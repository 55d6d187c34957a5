#pragma once

#include "raft/testing/group_simulation.h"

namespace kiseki::raft {

/// One run of a group.
class GroupWorld {
 public:
  GroupWorld(const GroupProfile& profile, std::uint64_t seed, sim::Trace& trace);
  ~GroupWorld();

  /// Lets time pass until then after the start, or until something is violated.
  void advance(Duration until);
  void take(const sim::Step& step);
  /// Ends the trouble, waits until all have caught up, and judges.
  void conclude();
  const std::string& violation() const { return history_.violation(); }

  GroupClient::Nodes& nodes() { return nodes_; }
  /// Of the highest term.
  GroupNode* leader();

 private:
  using Argument = std::uint64_t;

  GroupNode& add(NodeId id, SnapshotMeta base);
  GroupNode* pick(Argument argument);
  void later(Duration delay, std::function<void()> action);
  void mind();

  // Faults.
  void crash(GroupNode& node, Duration down);
  void cut_power(Argument argument);
  void forget_promise(Argument argument);
  void isolate(NodeId node, Argument argument);
  void split(Argument argument);
  void trouble_disk(GroupNode& node, std::string_view what, Argument argument);
  void set_weather(Argument argument);
  void set_clocks(Argument argument);
  void wipe();
  // Jobs.
  void transfer(Argument argument);
  void add_learner();
  void promote();
  void remove(Argument argument);
  void replace(NodeId old);
  void compact(GroupNode& node, Argument argument);
  void repair();

  /// Nodes watch each other: who sees another one lost wakes its groups.
  void tell_of_loss();

  void heal();
  bool is_settled();
  void judge_quiet();
  Duration passed() const { return loop_.now() - began_; }
  std::string describe();

  const GroupProfile& profile_;
  SeededRng rng_;
  sim::SimulatedLoop loop_;
  sim::SimulatedNetwork network_;
  GroupHistory history_;
  sim::Trace& trace_;
  GroupSurroundings around_;
  GroupClient::Nodes nodes_;
  NodeId next_id_ = 1;
  NodeId wiped_ = 0;
  bool has_lost_ = false;
  BootTime began_;
  std::multimap<BootTime, std::function<void()>> later_;
  std::vector<std::unique_ptr<GroupClient>> clients_;
  Scope users_;
};

}  // namespace kiseki::raft
