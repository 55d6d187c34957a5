#pragma once

#include <optional>
#include <set>

#include "raft/types.h"

namespace kiseki::raft::detail {

/// What a replica must hear before it believes that its group goes on without it: from a leader the committed
/// configuration that it is missing from, and from a majority of the voters of that configuration that they
/// have applied it. No single word is enough, whoever says it. A configuration from before the replica was a
/// member, when an earlier one on its node may have gone, says nothing of it.
class Removal {
 public:
  enum class Verdict : std::uint8_t {
    ignored,
    claimed,  ///< By a leader, as of `claim().index`: the other voters are to be asked.
    proven,
  };
  /// What the replica knows by itself, and the nodes it knows: of members of its last configuration, and
  /// those it was told of.
  struct Own {
    ReplicaId replica;
    Index applied;
    Term term;  ///< Of the entry applied last.
    std::vector<NodeId> known;
  };

  /// `statement` is of type removed; `reject` marks the word of one that does not lead.
  Verdict hear(const Message& statement, const Own& own);
  const SnapshotMeta& claim() const { return *claim_; }

 private:
  std::optional<SnapshotMeta> claim_;
  std::set<ReplicaId> witnesses_;
};

}  // namespace kiseki::raft::detail
