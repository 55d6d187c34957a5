#pragma once

#include <array>
#include <string>
#include <vector>

#include "shard/rows/state_rows.h"

namespace kiseki::shard::detail {

/// What a node's store says of itself (docs/formats/transaction.md); written first, never changed.
struct NodeRow {
  std::array<std::byte, 16> cluster{};
  raft::NodeId node = 0;
  std::uint32_t data_shards = 0;

  static std::string key();
  std::string encode() const;
  static Result<NodeRow> decode(View bytes);
};

/// Slot 0, then `data_shards` equal ranges of the others; by shard id.
std::vector<SlotRange> ranges_of(std::uint32_t data_shards);

}  // namespace kiseki::shard::detail
