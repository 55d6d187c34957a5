#pragma once

#include <map>
#include <mutex>
#include <set>
#include <unordered_map>

#include "shard/client/shard_map.h"
#include "shard/node/local_replica.h"
#include "shard/rows/replica_row.h"

namespace kiseki::shard::detail {

/// The shards of one node. Opens what the store has and what splits make, begins replicas of shards the node
/// became a member of, and lets go of those whose groups go on without it. Changes on one core; ports are
/// found and messages received on every core.
class LocalReplicas {
 public:
  /// What they work with; all of it outlives them.
  struct Services {
    kv::KvStore& store;
    raft::Log& log;
    BlockingPool& pool;
    std::vector<CoreServices> cores;
    raft::Transport* transport = nullptr;  ///< Null: groups of this node alone.
    raft::NodeId node = 1;
    std::vector<raft::NodeId> others{};  ///< Its peers as of the start.
    std::function<void()> on_change{};   ///< There is something to `follow` or to `begin`; on any core.
  };
  explicit LocalReplicas(Services services) : services_(std::move(services)) {}

  raft::NodeId node() const noexcept { return services_.node; }
  StampClock& stamps() noexcept { return stamps_; }
  /// Everything the store has; `corrupted` when the log has groups the store does not know.
  Task<Result<>> open(std::unordered_map<raft::GroupId, raft::Recovered> recovered);
  /// Opens the children of splits, and lets go of removed replicas. What finds no room is tried again by the
  /// next call; any other error is final for the node.
  Task<Result<>> follow();
  /// For shards whose messages found nobody: begins a replica that waits for a snapshot, where the slots are
  /// nobody else's here. `map` says which those are.
  Task<Result<>> begin_wanted(const ShardMap& map);
  /// Adds the shards that have a state here.
  Task<> survey(ShardMap& map) const;
  /// What the shards here have; a replica without a state has nothing.
  Task<Coverage> coverage() const;

  /// Null when it is not here. As long as this.
  ShardPort* port(ShardId shard) const;
  LocalReplica* find(ShardId shard) const;
  /// Lost when the shard is not here, or once `close` is called.
  void receive(ShardId shard, std::vector<raft::Message> messages, FramePtr frame);
  std::vector<LocalReplica*> all() const;

  /// Nothing is received any more.
  void close();

 private:
  Task<Result<>> open_replica(ShardId shard, std::optional<raft::Recovered> recovered);
  Task<Result<>> let_go(ShardId shard);
  Task<Result<>> open_new();
  Task<Result<>> erase_old_logs();
  /// An empty replica; one at a time, so that what its snapshot brings is nobody else's.
  Task<Result<bool>> may_begin(ShardId shard, raft::ReplicaId replica, const ShardMap& map) const;

  Services services_;
  StampClock stamps_;
  std::unordered_map<raft::GroupId, raft::Recovered> recovered_;  // of shards not opened yet
  std::set<ShardId> old_logs_;  // of removed replicas; another begins when that has gone
  mutable std::mutex mutex_;    // of what follows: asked from every core
  std::vector<std::unique_ptr<LocalReplica>> replicas_;
  std::vector<std::unique_ptr<LocalReplica>> gone_;  // stopped; a call may still hold their ports
  std::map<ShardId, raft::ReplicaId> wanted_;        // the newest that members were heard to count on
  bool is_closed_ = false;
};

}  // namespace kiseki::shard::detail
