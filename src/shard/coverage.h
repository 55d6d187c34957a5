#pragma once

#include <optional>
#include <vector>

#include "shard/key.h"

namespace kiseki::shard {

/// How much of the key space has answered a question to all shards. An answer speaks for the slots its shard
/// had when it was given; whoever asks goes on until no slot is missing, whatever splits meanwhile.
class Coverage {
 public:
  void add(SlotRange range) { ranges_.push_back(range); }
  /// The first slot nobody has answered for; nothing: all have.
  std::optional<Slot> missing() const;
  bool is_whole() const { return !missing(); }

 private:
  std::vector<SlotRange> ranges_;
};

}  // namespace kiseki::shard
