#pragma once

#include "base/codec.h"
#include "raft/types.h"

namespace kiseki::raft {

/// The members as every format writes them: newest number 4, auto leave 1 (0 or 1), then voters, learners,
/// outgoing voters, next learners: count 2 and 8 bytes each.
void encode_conf(Encoder& out, const ConfState& conf);
/// Rejects sets beyond `ConfState::members_max`, and members with a number above the newest.
ConfState decode_conf(Decoder& in);

}  // namespace kiseki::raft
