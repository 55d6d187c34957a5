#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/rng.h"
#include "base/task.h"
#include "kv/kv_store.h"
#include "raft/group.h"
#include "raft/log.h"
#include "shard/chunk_references.h"
#include "shard/client.h"
#include "shard/peers.h"

namespace kiseki::shard {

/// The shards of one node: the system shard and the data shards, their replicas, sessions, background sweeps,
/// and the flush that lets the log forget. Alone, or with others: then each has a replica of every shard it
/// was made a member of, and reaches the others by `Peers`.
class Node {
 public:
  struct Options {
    /// Of this node, up to `raft::node_max`, never used again once its disk is lost. Written at the first
    /// boot; another one later: `wrong_format`.
    raft::NodeId id = 1;
    /// The voters of every shard at the first boot of the cluster, the same everywhere. A node that is not
    /// among them begins without shards, and gets replicas as it is made a member.
    std::vector<raft::NodeId> founders = {1};
    std::uint32_t data_shards = 4;  ///< At the first boot; later boots take what is there.
    Bytes log_limit = 96_MiB;       ///< Live log beyond which state is flushed.
    std::array<std::byte, 16>
        cluster{};  ///< Identity written at the first boot; another one later: `wrong_format`.
  };

  /// The families a store for a node must have, in order.
  static std::vector<std::string> families();

  /// What a node works with; all of it outlives the node.
  struct Services {
    kv::KvStore& store;
    raft::Log& log;
    std::vector<CoreServices> cores;  ///< Shards are spread over them.
    BlockingPool& pool;               ///< Serves the calls that block.
    Peers* peers = nullptr;           ///< Null: a node alone.
  };
  /// First boot makes the shards; later ones recover them. Alone, everything is served on return; with
  /// others, as soon as a majority of each shard is there.
  static Task<Result<std::unique_ptr<Node>>> open(Options options, Services services);
  /// Stopped.
  ~Node();

  /// A client for a core, with a new session that fences the earlier ones of `process` (stable over restarts,
  /// different for every user of one node, below 2^32). One call at a time for each.
  Task<Result<std::unique_ptr<Client>>> connect(CoreServices core, std::uint64_t process);

  /// For garbage collection; as long as the node.
  ChunkReferences references() const;

  struct ShardStatus {
    ShardId id;
    Slot first, last;  ///< 1 and 0 while the replica waits for its first snapshot.
    std::uint64_t applied;
    raft::GroupStatus replica;

    bool leader() const noexcept { return replica.role == raft::Role::leader; }
  };
  Task<std::vector<ShardStatus>> status();
  /// The slots of `shard` from `first` on become a shard of their own, whose id this returns.
  /// `invalid_argument` where that cannot be, the system shard among it; after another error it may have
  /// happened or happen yet.
  Task<Result<ShardId>> split(ShardId shard, Slot first);
  /// Changes the members of a shard whose leader is here (see `raft::Replica::change_members`): `not_leader`
  /// elsewhere.
  Task<Result<>> change_members(ShardId shard, std::vector<raft::MemberChange> changes);
  /// The same: another replica is to lead.
  Task<Result<>> transfer_leader(ShardId shard, raft::NodeId to);

  /// What the replicas of other nodes sent to the one here; lost when there is none. `frame` owns what the
  /// messages point into. From any core.
  void receive(ShardId shard, std::vector<raft::Message> messages, FramePtr frame);
  /// A snapshot of the shard, with the message that opened the stream. `not_found` without a replica here.
  Task<Result<>> receive_snapshot(ShardId shard, raft::Message message, raft::SnapshotSource& source);
  /// For the other nodes, which compare.
  Clocks clocks() const;
  /// Serves a call of another node, or of a process without one (`NodeChannel`). From any core.
  Task<std::string> serve(std::string call);

  /// Set when a replica failed for good, or a session of this node was fenced: the process must stop.
  std::optional<Error> failure() const;
  /// Clients answer `cancelled` from now on. What is in memory is flushed, so that the next start is quick.
  Task<> stop();

 private:
  class State;
  explicit Node(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kiseki::shard
