#pragma once

#include <vector>

#include "shard/client/routes.h"

namespace kiseki::shard::detail {

/// Which slots each shard has, in order of slots (docs/formats/keys.md). Shards only ever split, and the
/// child gets the upper part: the first slot of a shard never changes, and a map that lacks a child gives its
/// slots to where it came from. So maps of different age are joined by joining what they name.
struct ShardMap {
  struct Entry {
    ShardId id;
    SlotRange range;
    friend bool operator==(const Entry&, const Entry&) = default;
  };
  ShardId next{1};  ///< Ids from here on were never used, as far as this map knows.
  std::vector<Entry> shards{{.id = ShardId(0), .range = {.first = 0, .last = 65'535}}};

  /// What is known already stays.
  void add(ShardId id, Slot first);
  void add(const ShardMap& other);
  /// Null when there is no such shard.
  const Entry* find(ShardId id) const;

  static constexpr std::size_t page_entries_max = 4096;
  /// Values of the map's rows, page by page: there are as many as the shards need.
  std::vector<Record> pages() const;
  static Result<ShardMap> decode(const std::vector<Record>& pages);
  static Key page_key(std::size_t page);
  friend bool operator==(const ShardMap&, const ShardMap&) = default;
};

/// The map as the system shard keeps it for all nodes.
class SystemMap {
 public:
  /// `routes` outlive it.
  explicit SystemMap(const Routes& routes) : routes_(routes) {}

  /// `not_found` while there is none yet.
  Task<Result<ShardMap>> known() const;
  /// Adds to it what only `here` names; returns both joined.
  Task<Result<ShardMap>> join(ShardMap here) const;
  /// An id that no shard had and no other will get.
  Task<Result<ShardId>> allocate(ShardMap here) const;

 private:
  struct Known {
    ShardMap map;
    std::vector<Stamp> versions;  ///< Of its rows; none when there are none yet.
  };
  Task<Result<Known>> read() const;
  /// `conflict` when another one was first.
  Task<Result<>> write(const Known& known, const ShardMap& next) const;

  const Routes& routes_;
};

}  // namespace kiseki::shard::detail
