#pragma once

#include "base/codec.h"
#include "raft/types.h"

// What the log and the messages write alike (docs/formats/log.md, raft-message.md).

namespace kiseki::raft::detail {

void encode_meta(Encoder& out, const SnapshotMeta& meta);
/// Rejects what `decode_conf` does.
SnapshotMeta decode_meta(Decoder& in);
/// 0 or 1; rejects anything else.
bool decode_flag(Decoder& in);

}  // namespace kiseki::raft::detail
