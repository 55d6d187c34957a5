#pragma once

#include "raft/testing/group_node.h"

namespace kiseki::raft {

/// One real replica, on node 1 of three, whose peers do what a test says: what is rare among real ones is
/// made to happen here.
class LoneReplica {
 public:
  explicit LoneReplica(std::uint64_t seed, SnapshotMeta base = {1, 1, {.voters = {1, 2, 3}}},
                       Replica::Quiesce quiesce = Replica::Quiesce::no, ReplicaId id = 1);
  ~LoneReplica();

  GroupNode& node() { return *node_; }
  Replica& replica() { return node_->replica(); }
  sim::SimulatedLoop& loop() { return loop_; }
  void run_for(Duration duration) { loop_.run_for(duration); }
  bool run_until(const std::function<bool()>& done) {
    return loop_.run_until(done, std::chrono::seconds(10));
  }
  /// Power cut and start, between two turns of the loop.
  void restart();

  /// As if a peer had sent it.
  void give(const Message& message);
  /// What the replica sent since it was asked last, of one type.
  std::vector<Message> take(MessageType type);
  /// From now on peers answer as followers that lack nothing and whose disks take no time.
  void answer() { answers_ = true; }
  /// From now on their answers to heartbeats wait for `release`.
  void hold_heartbeats() { holds_heartbeats_ = true; }
  void release();
  /// Makes the replica the leader of peers that answer.
  void lead();
  /// Starts a read; the flag turns true when it may be served.
  void start_read(bool& may_be_served);

 private:
  void receive(NodeId peer, const std::string& bytes);
  void reply(const Message& message);
  static Task<> read(GroupNode& node, bool& may_be_served);

  sim::SimulatedLoop loop_;
  sim::SimulatedNetwork network_;
  GroupHistory history_;
  sim::Trace trace_{false};
  std::unique_ptr<GroupNode> node_;
  std::vector<std::pair<Message, FramePtr>> sent_;
  std::vector<std::pair<Message, FramePtr>> held_;
  bool answers_ = false;
  bool holds_heartbeats_ = false;
};

}  // namespace kiseki::raft
