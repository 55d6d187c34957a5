#pragma once

#include <memory>
#include <optional>

#include "shard/chunk_references.h"
#include "shard/client.h"
#include "shard/peers.h"

namespace kiseki::shard {

/// The shards of a cluster for a process that keeps none of them: finds them and who leads them through the
/// nodes, and keeps its sessions alive.
class Connection {
 public:
  /// Reads the map of the shards. `id` tells this process from every node and every other process of the
  /// cluster, for good; `channel` and `home`, the core of its background work, outlive it. `unavailable`
  /// while no node answers.
  static Task<Result<std::unique_ptr<Connection>>> open(std::uint32_t id, NodeChannel& channel,
                                                        CoreServices home);
  /// Stopped.
  ~Connection();

  /// As `Node::connect`.
  Task<Result<std::unique_ptr<Client>>> connect(CoreServices core, std::uint64_t process);
  /// As long as this.
  ChunkReferences references() const;
  /// Set when a session was fenced: the process must stop.
  std::optional<Error> failure() const;
  /// Clients answer `cancelled` from now on.
  Task<> stop();

 private:
  class State;
  explicit Connection(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kiseki::shard
