#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/buffer.h"
#include "base/ids.h"

namespace kiseki::raft {

using Index = std::uint64_t;
using Term = std::uint64_t;
/// A replica; 0 is none. Never reused after a wipe.
using NodeId = std::uint64_t;
/// One group is one shard.
using GroupId = ShardId;

enum class Role : std::uint8_t { follower, candidate, leader, pre_candidate };
enum class EntryType : std::uint8_t { normal, conf_change };

struct Entry {
  Index index;
  Term term;
  EntryType type;
  View data;
  FramePtr owner;  ///< Keeps `data` alive; empty when the giver does.
};

/// The part of a replica's state that is as durable as its entries, but for `commit`, which may lag.
struct HardState {
  Term term = 0;
  NodeId vote = 0;
  Index commit = 0;
  friend bool operator==(const HardState&, const HardState&) = default;
};

/// At most `members_max` replicas in each set.
struct ConfState {
  static constexpr std::size_t members_max = 16;
  std::vector<NodeId> voters{}, learners{}, voters_outgoing{}, learners_next{};
  bool auto_leave = false;
  friend bool operator==(const ConfState&, const ConfState&) = default;
};

struct SnapshotMeta {
  Index index = 0;
  Term term = 0;
  ConfState conf{};
};

/// What a group asks of its driver or tells other replicas.

/// `token` is the sender's handle of the data, never the data.
struct Snapshot {
  SnapshotMeta meta;
  View token;
};

struct SoftState {
  NodeId leader = 0;
  Role role = Role::follower;
};

/// Values as in the engine's protocol; those from 64 on are the driver's own and never reach the engine.
enum class MessageType : std::uint8_t {
  append = 3,
  append_response = 4,
  request_vote = 5,
  request_vote_response = 6,
  snapshot = 7,
  heartbeat = 8,
  heartbeat_response = 9,
  timeout_now = 14,
  request_pre_vote = 17,
  request_pre_vote_response = 18,
  /// The receiver is no member as of `snapshot`, the configuration that the sender has applied at `index`,
  /// and never will be. From a leader, or with `reject` from another voter that was asked about it.
  removed = 64,
  quiesce = 65,  ///< All have applied `index`: no ticks until something happens.
  /// `from` has heard no leader for long, or was told to be no member as of `commit`. Answered by `removed`
  /// when it is no member; who does not lead passes it on, once (`reject`), or answers as of `commit`.
  alone = 66,
};

struct Message {
  MessageType type;
  NodeId to = 0;
  NodeId from = 0;
  Term term = 0;
  Term log_term = 0;
  Index index = 0;
  Index commit = 0;
  Term commit_term = 0;
  Index reject_hint = 0;
  std::int64_t priority = 0;
  bool reject = false;
  std::vector<Entry> entries{};
  std::optional<Snapshot> snapshot{};
  View context{};
};

/// The read `sequence` may be served once `index` is applied.
struct ReadState {
  std::uint64_t sequence;
  Index index;
};

/// Entries [from, to) that left the memory, as many as fit `limit` bytes, at least one.
struct Fetch {
  std::uint64_t id;
  Index from;
  Index to;
  Bytes limit;
};

struct ConfChange {
  enum class Type : std::uint8_t { add_voter, remove, add_learner };
  Type type;
  NodeId node;
};

}  // namespace kiseki::raft
