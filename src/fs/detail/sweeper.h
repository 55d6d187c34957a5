#pragma once

#include <map>

#include "fs/detail/tree.h"

namespace kiseki::fs::detail {

class NamespaceDeletion;

/// Follows the rows that say what is left behind (PROTOCOLS 2.4, 2.6, 2.8, 3.2): emptied leaves, tombstones,
/// garbage, pending rows of fenced sessions, deletions of namespaces that nobody finished. Every step may be
/// repeated, by several sweepers at once too.
class Sweeper {
 public:
  /// All outlive it.
  Sweeper(Tree& tree, NamespaceDeletion& deletion) : tree_(tree), deletion_(deletion) {}

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
  NamespaceDeletion& deletion_;
  std::map<ShardId, Cursor> cursors_;
  std::uint64_t rounds_ = 0;
};

/// Handles one row of kind feed. `keeps_tombstones_ms`: how old a tombstone gets.
Task<Result<>> sweep_feed(Tree& tree, shard::Row row, std::uint64_t keeps_tombstones_ms);
/// A chain of directories whose session is fenced (chain.h): takes it away unless it is linked.
Task<Result<>> sweep_chain(Tree& tree, shard::Row row);
/// Handles every feed and garbage row of a namespace, whatever its age.
Task<Result<>> drain(Tree& tree, NamespaceId ns);

}  // namespace kiseki::fs::detail
