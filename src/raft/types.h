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
/// A node, from 1 to `node_max`; 0 is none. Never used again once its disk is lost.
using NodeId = std::uint64_t;
inline constexpr NodeId node_max = 0xffff'ffff;
/// A member of a group: the node it is on, and in the upper 32 bits its number, which the group's own
/// configuration gives out. Never used twice in a group, so that a node which left comes back as another
/// replica. 0 is none.
using ReplicaId = std::uint64_t;
constexpr NodeId node_of(ReplicaId replica) { return replica & node_max; }
constexpr std::uint32_t number_of(ReplicaId replica) { return static_cast<std::uint32_t>(replica >> 32); }
constexpr ReplicaId replica_of(NodeId node, std::uint32_t number) { return ReplicaId{number} << 32 | node; }
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
  ReplicaId vote = 0;
  Index commit = 0;
  friend bool operator==(const HardState&, const HardState&) = default;
};

/// At most `members_max` replicas in each set.
struct ConfState {
  static constexpr std::size_t members_max = 16;
  std::vector<ReplicaId> voters{}, learners{}, voters_outgoing{}, learners_next{};
  bool auto_leave = false;
  std::uint32_t newest = 0;  ///< The highest number that a member of the group has had so far.
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
  ReplicaId leader = 0;
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
  /// when it is no member; who does not lead passes it on, once (`reject`), or answers as of `commit`. Of
  /// `to` only the node counts: who asks may know no replica there.
  alone = 66,
};

struct Message {
  MessageType type;
  ReplicaId to = 0;
  ReplicaId from = 0;
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
  ReplicaId replica;
};

/// The same by nodes, each of which has one member at most.
struct MemberChange {
  ConfChange::Type type;
  NodeId node;
};

}  // namespace kiseki::raft
