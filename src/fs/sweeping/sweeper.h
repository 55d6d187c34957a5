#pragma once

#include <map>

#include "fs/tree/tree.h"

namespace kiseki::fs::detail {

/// Follows the rows that say what is left behind (PROTOCOLS 2.4, 2.6, 2.8, 3.2): emptied leaves, tombstones,
/// garbage, pending rows of fenced sessions. Every step may be repeated, by several sweepers at once too.
class Sweeper {
 public:
  /// `tree` outlives it.
  explicit Sweeper(Tree& tree) : tree_(tree) {}

  /// Until `scope` stops.
  Task<> run(Scope& scope);
  /// One round over every shard, as if everything were due now.
  Task<Result<>> sweep_once();

 private:
  struct Cursor {
    Stamp feed, garbage;
  };
  enum class Due : std::uint8_t { by_age, now };

  Task<Result<>> round(Due due);
  Task<Result<>> follow(ShardId shard, shard::Kind kind, Stamp& after, Due due);
  Task<Result<>> follow_abandoned(ShardId shard);
  void note(const Result<>& result);

  Tree& tree_;
  std::map<ShardId, Cursor> cursors_;
  std::uint64_t rounds_ = 0;
};

}  // namespace kiseki::fs::detail
