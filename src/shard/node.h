#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/rng.h"
#include "base/task.h"
#include "kv/kv_store.h"
#include "raft/log.h"
#include "shard/chunk_references.h"
#include "shard/client.h"

namespace kiseki::shard {

/// One core's services, by reference; they outlive the node.
struct CoreServices {
  Executor executor;
  Clock* clock = nullptr;
};

/// The shards of one node: the system shard and the data shards, their replicas, sessions, background sweeps,
/// and the flush that lets the log forget.
class Node {
 public:
  struct Options {
    std::uint32_t data_shards = 4;  ///< At the first boot; later boots take what is there.
    Bytes log_limit = 96_MiB;       ///< Live log beyond which state is flushed.
    std::array<std::byte, 16>
        cluster{};  ///< Identity written at the first boot; another one later: `wrong_format`.
  };

  /// The families a store for a node must have, in order.
  static std::vector<std::string> families();

  /// First boot makes the shards; later ones recover them. `store` and `log` outlive the node. Shards are
  /// spread over `cores`; `pool` serves the calls that block.
  static Task<Result<std::unique_ptr<Node>>> open(Options options, kv::KvStore& store, raft::Log& log,
                                                  std::vector<CoreServices> cores, BlockingPool& pool);
  /// Stopped.
  ~Node();

  /// A client for a core, with a new session that fences the earlier ones of `process` (stable over restarts,
  /// different for every user of one node).
  Task<Result<std::unique_ptr<Client>>> connect(CoreServices core, std::uint64_t process);

  /// For garbage collection; as long as the node.
  ChunkReferences references() const;

  struct ShardStatus {
    ShardId id;
    Slot first, last;
    std::uint64_t applied;
    bool leader;
  };
  Task<std::vector<ShardStatus>> status();
  /// The slots of `shard` from `first` on become a shard of their own, whose id this returns.
  /// `invalid_argument` where that cannot be, the system shard among it; after another error it may have
  /// happened or happen yet.
  Task<Result<ShardId>> split(ShardId shard, Slot first);
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
