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

struct ConfState {
  std::vector<NodeId> voters, learners, voters_outgoing, learners_next;
  bool auto_leave = false;
};

struct SnapshotMeta {
  Index index = 0;
  Term term = 0;
  ConfState conf;
};

}  // namespace kiseki::raft
