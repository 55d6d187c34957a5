#pragma once

#include <functional>

#include "base/scope.h"
#include "raft/testing/group_node.h"

namespace kiseki::raft {

/// A user of the registers: reads, writes and swaps, one call after the other, wherever it finds the leader.
class GroupClient {
 public:
  struct Habits {
    Duration think = std::chrono::milliseconds(120);
    std::uint32_t keys = 3;
    std::uint32_t reads = 50;   ///< Of a hundred calls.
    bool has_watchers = false;  ///< Every other client only reads, wherever a node says that it leads.
    Duration patience = std::chrono::milliseconds(1500);
  };
  using Nodes = std::map<NodeId, std::unique_ptr<GroupNode>>;

  GroupClient(std::uint64_t number, std::uint64_t seed, Nodes& nodes, GroupSurroundings around,
              Habits habits);

  /// Until the scope stops.
  Task<> run(Scope& scope);
  std::uint64_t answered() const { return answered_; }

 private:
  GroupNode* choose();
  Task<> read(GroupNode& node, sim::Call call);
  Task<> change(GroupNode& node, sim::Call call);
  void note(const GroupNode& node, const sim::Call& call, std::uint64_t number, std::string_view how);

  SeededRng rng_;
  Nodes& nodes_;
  GroupSurroundings around_;
  sim::SimulatedClock clock_;
  Habits habits_;
  std::uint64_t last_number_;
  NodeId favourite_ = 0;
  bool is_watcher_ = false;
  std::uint64_t answered_ = 0;
  std::map<std::string, std::uint64_t> known_;  // what a register last held, as far as this client knows
};

}  // namespace kiseki::raft
