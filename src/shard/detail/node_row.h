#pragma once

#include <array>
#include <string>
#include <vector>

#include "shard/detail/state_rows.h"

namespace kiseki::shard::detail {

/// What a node's store says of itself (docs/formats/transaction.md); written first, never changed.
struct NodeRow {
  std::array<std::byte, 16> cluster{};
  std::uint32_t data_shards = 0;

  static std::string key();
  std::string encode() const;
  static Result<NodeRow> decode(View bytes);
};

/// Slot 0, then `data_shards` equal ranges of the others; by shard id.
std::vector<SlotRange> ranges_of(std::uint32_t data_shards);
/// The map row of the system shard (docs/formats/keys.md): every shard with its slots, in order of slots.
struct ShardMap {
  struct Entry {
    ShardId id;
    SlotRange range;
    friend bool operator==(const Entry&, const Entry&) = default;
  };
  ShardId next;  ///< Ids from here on were never used.
  std::vector<Entry> shards;

  Record record() const;
  static Result<ShardMap> decode(const Record& record);
  friend bool operator==(const ShardMap&, const ShardMap&) = default;
};

}  // namespace kiseki::shard::detail
