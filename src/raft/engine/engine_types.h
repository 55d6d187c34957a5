#pragma once

#include <vector>

#include "raft/engine/engine.h"
#include "raft/types.h"

// Between the engine's C layouts and ours. What points somewhere in the source points there in the result.

namespace kiseki::raft::detail {

inline View to_view(kiseki_raft_bytes bytes) {
  return {reinterpret_cast<const std::byte*>(bytes.data), bytes.size};
}
inline kiseki_raft_bytes to_engine(View view) {
  return {reinterpret_cast<const std::uint8_t*>(view.data()), view.size()};
}

/// Hands the engine a reference of its own to the frame; nothing for an empty one.
kiseki_raft_frame to_engine(const FramePtr& frame);

Entry to_entry(const kiseki_raft_entry& entry);
std::vector<Entry> to_entries(const kiseki_raft_entry* entries, std::size_t count);
/// Without `newest`, which the engine does not know.
ConfState to_conf(const kiseki_raft_conf& conf);
Snapshot to_snapshot(const kiseki_raft_snapshot& snapshot);
Message to_message(const kiseki_raft_message& message);

kiseki_raft_entry to_engine(const Entry& entry);
/// False: a set has more than `members_max` replicas.
bool fits(const ConfState& conf);
kiseki_raft_conf to_engine(const ConfState& conf);
kiseki_raft_snapshot to_engine(const Snapshot& snapshot);

/// Messages in the engine's layout, with the arrays they point into.
class EngineMessages {
 public:
  /// Messages whose snapshot does not fit are left out.
  explicit EngineMessages(std::span<const Message> messages);
  const std::vector<kiseki_raft_message>& all() const { return messages_; }

 private:
  void add(const Message& message);

  std::vector<kiseki_raft_entry> entries_;
  std::vector<kiseki_raft_snapshot> snapshots_;
  std::vector<kiseki_raft_message> messages_;
};

}  // namespace kiseki::raft::detail
