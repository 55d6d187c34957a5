#pragma once

#include <memory>
#include <optional>

#include "raft/log.h"
#include "raft/replica.h"
#include "shard/detail/local_port.h"
#include "shard/detail/routes.h"
#include "shard/node.h"

namespace kiseki::shard::detail {

/// One shard of a node with its replica, on its core. Calls come from any core.
class Place {
 public:
  /// Recovers the shard; it has elected itself and applied what its log holds. `store` and `log` outlive it.
  static Task<Result<std::unique_ptr<Place>>> open(ShardId shard, kv::KvStore& store, raft::Log& log,
                                                   std::optional<raft::Recovered> recovered,
                                                   CoreServices core);

  Route route() { return {.id = shard_->machine().id(), .range = shard_->machine().range(), .port = &port_}; }
  Task<Node::ShardStatus> status();
  Task<std::optional<Error>> failure();
  Task<> set_room(bool has_room);
  /// Lets the log forget what the store holds durably.
  Task<Result<>> compact();
  /// Refuses new calls, and returns when none is under way.
  Task<> quiet();
  Task<> stop();

 private:
  Place(std::unique_ptr<Shard> shard, CoreServices core)
      : core_(core), shard_(std::move(shard)), port_(*shard_, core.executor) {}

  Task<Node::ShardStatus> status_here();
  Task<std::optional<Error>> failure_here();
  Task<> set_room_here(bool has_room);
  Task<> quiet_here();

  CoreServices core_;
  std::unique_ptr<Shard> shard_;
  LocalPort port_;
  std::unique_ptr<raft::Replica> replica_;
  std::unique_ptr<ReplicaJournal> journal_;
};

/// Every shard's log begins so: one entry in the past, one voter.
raft::SnapshotMeta first_base();

}  // namespace kiseki::shard::detail
