#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "base/crossing.h"
#include "raft/log.h"
#include "raft/replica.h"
#include "shard/client/routes.h"
#include "shard/node.h"
#include "shard/node/local_port.h"
#include "shard/snapshots/snapshots.h"

namespace kiseki::shard::detail {

/// One shard of a node with its replica, on its core. Calls come from any core.
class LocalReplica {
 public:
  /// What a replica works with; all of it outlives the replica.
  struct Services {
    kv::KvStore& store;
    raft::Log& log;
    BlockingPool& pool;
    CoreServices core;
    StampClock& stamps;
    std::function<void()> on_change{};     ///< See `Shard::on_change`; on the replica's core.
    raft::Transport* transport = nullptr;  ///< Null: groups of this node alone.
    std::vector<raft::NodeId> others{};    ///< See `raft::Replica::Options`.
  };
  /// Recovers the replica whose row the store has; alone, it has elected itself and applied what its log
  /// holds.
  static Task<Result<std::unique_ptr<LocalReplica>>> open(ShardId shard,
                                                          std::optional<raft::Recovered> recovered,
                                                          Services services);

  ShardId id() const noexcept { return id_; }
  ShardPort& port() noexcept { return port_; }
  Task<Node::ShardStatus> status();
  Task<std::optional<Error>> failure();
  /// Its group goes on without this replica.
  Task<bool> is_removed();
  Task<> set_room(bool has_room);
  /// Lets the log forget what the store holds durably.
  Task<Result<>> compact();
  Task<Result<>> change_members(std::vector<raft::MemberChange> changes);
  Task<Result<>> transfer_leader(raft::NodeId to);

  /// Of messages that wait for the core; what would be more is lost.
  static constexpr Bytes received_max = 32_MiB;
  Bytes received() const noexcept { return received_; }
  /// Posts what other replicas sent. Not called any more once `stop` is.
  void receive(std::vector<raft::Message> messages, FramePtr frame);
  Task<Result<>> receive_snapshot(raft::Message message, raft::SnapshotSource& source);

  /// Refuses new calls, and returns when none is under way.
  Task<> quiet();
  Task<> stop();
  /// Stopped for good: gives back the memory of the replica. Calls that come late find that it has gone.
  Task<> release();

 private:
  LocalReplica(std::unique_ptr<Shard> shard, Services services);

  Task<Result<>> compact_here();
  Task<Result<>> receive_snapshot_here(raft::Message message, raft::SnapshotSource& source);
  Task<> quiet_here();
  Task<> stop_here();
  Task<> release_here();

  const ShardId id_;
  CoreServices core_;
  std::unique_ptr<Shard> shard_;
  LocalPort port_;
  ShardSnapshots snapshots_;
  std::unique_ptr<raft::Replica> replica_;  // until it is released
  std::unique_ptr<ReplicaJournal> journal_;
  std::atomic<Bytes> received_ = 0;  // of messages that wait for the core
  std::size_t uses_ = 0;             // snapshots on their way in, and compactions
  ::kiseki::Event uses_ended_;
  bool is_stopped_ = false;
};

/// The log of a shard of the first boot begins so: one entry in the past.
raft::SnapshotMeta first_base(std::vector<raft::ReplicaId> voters = {1});

}  // namespace kiseki::shard::detail
