#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "base/task.h"
#include "raft/types.h"

namespace kiseki::raft {

/// The state of a group at one entry, read in pieces of at most 1 MiB. What the machine applies meanwhile
/// does not show.
class SnapshotSource {
 public:
  virtual ~SnapshotSource() = default;
  virtual const SnapshotMeta& meta() const = 0;
  /// Nothing after the last piece.
  virtual Task<Result<std::optional<std::string>>> next() = 0;
};

/// What a state machine does with whole states. Every call comes on the replica's core.
class Snapshots {
 public:
  virtual ~Snapshots() = default;
  /// Of the state as applied now. Term and configuration of its meta may be missing: the replica knows them.
  virtual Result<std::unique_ptr<SnapshotSource>> take() = 0;
  /// Takes one in beside the present state; nothing of it shows until `install`. One of another index that
  /// was staged before goes. Durable on return: the log moves its base next. `corrupted` when a piece is not
  /// what it says.
  virtual Task<Result<>> stage(SnapshotSource& source) = 0;
  /// The staged snapshot of that index becomes the state, applied index and configuration with it, in one
  /// step; durable on return. After a crash meanwhile the state is the old or the new one, and in the former
  /// case the next start calls this again. `not_found` when none of that index is staged.
  virtual Task<Result<>> install(Index index) = 0;
};

/// The way to the other replicas of the groups of this node. Both ends check what they get.
class Transport {
 public:
  virtual ~Transport() = default;
  /// May be lost, late, repeated, out of order. What the messages point to is read before it returns.
  virtual void send(GroupId group, std::span<const Message> messages) = 0;
  /// Streams `source` to where `message`, of type snapshot, goes, and then the message. On return the
  /// receiver has it staged and has seen the message; any error, also of a receiver that does not know the
  /// group, leaves that open. Ends in bounded time. `message` and `source` live as long as the call.
  virtual Task<Result<>> send_snapshot(GroupId group, const Message& message, SnapshotSource& source) = 0;
};

}  // namespace kiseki::raft
