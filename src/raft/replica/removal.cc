#include "raft/replica/removal.h"

#include <algorithm>

#include "base/planted.h"
#include "raft/members.h"

namespace kiseki::raft::detail {

namespace {

bool contains(const std::vector<std::uint64_t>& ids, std::uint64_t id) {
  return std::ranges::find(ids, id) != ids.end();
}

/// A settled configuration behind everything that this replica has applied, and younger than the replica, by
/// one of its voters.
bool is_sound(const Message& statement, const Removal::Own& own) {
  if (!statement.snapshot) return false;
  const SnapshotMeta& meta = statement.snapshot->meta;
  return meta.index == statement.index && meta.index > own.applied && meta.term >= own.term &&
         meta.conf.voters_outgoing.empty() && contains(meta.conf.voters, statement.from) &&
         !is_member(meta.conf, own.replica) &&
         (number_of(own.replica) <= meta.conf.newest ||
          KISEKI_PLANTED("an old removal proof erases the new replica"));
}

}  // namespace

Removal::Verdict Removal::hear(const Message& statement, const Own& own) {
  if (!is_sound(statement, own)) return Verdict::ignored;
  const SnapshotMeta& meta = statement.snapshot->meta;
  const bool is_leader = !statement.reject;
  const bool is_new = is_leader && (!claim_ || claim_->conf != meta.conf);
  if (is_new) {
    claim_ = meta;
    witnesses_.clear();
  }
  if (!claim_ || meta.index < claim_->index || !contains(claim_->conf.voters, statement.from)) {
    return Verdict::ignored;
  }
  witnesses_.insert(statement.from);
  const bool is_majority = 2 * witnesses_.size() > claim_->conf.voters.size();
  const bool is_known =
      std::ranges::any_of(witnesses_, [&](ReplicaId one) { return contains(own.known, node_of(one)); });
  if (is_majority && is_known) return Verdict::proven;
  // The leader says it from time to time; each time the others are asked again.
  return is_leader ? Verdict::claimed : Verdict::ignored;
}

}  // namespace kiseki::raft::detail
