#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "raft/types.h"

namespace kiseki::raft {

/// All members, whichever set they are in, once each.
std::vector<ReplicaId> members_of(const ConfState& conf);
bool is_member(const ConfState& conf, ReplicaId replica);
/// The member on that node; 0 without one.
ReplicaId member_on(const ConfState& conf, NodeId node);
/// `changed` with the newest number known when it follows `before`.
ConfState following(const ConfState& before, ConfState changed);
/// What the changes mean for a group of these members: what is added on a node without a member is a new
/// replica. `invalid_argument` for a node that is named twice, or is to be removed and has no member.
Result<std::vector<ConfChange>> resolve(const ConfState& conf, std::span<const MemberChange> changes);

}  // namespace kiseki::raft
