#pragma once

#include <set>

#include "base/rng.h"
#include "shard/client.h"
#include "shard/testing/history.h"

namespace kiseki::shard::detail {

/// Users who append their numbers to lists in rows of several shards, relying on others, and leave rows for a
/// consumer that takes them in order and never looks back; and what is wrong with what they saw. Their
/// clients may die or fail at any moment.
class ListUsers {
 public:
  /// `rng` outlives them. The first two rows share a leaf.
  ListUsers(Rng& rng, std::vector<Key> rows) : rng_(rng), rows_(std::move(rows)) {}

  /// What makes the rows.
  Transaction beginning() const;
  /// Reads all rows, then appends to some. False when the client failed.
  Task<bool> act(Client& client, std::uint64_t user);
  /// Takes some of the rows that are there for the consumer, of every shard. How many: 0 also when the client
  /// failed.
  Task<std::size_t> consume(Client& client);
  /// Whatever the user began and never heard of has happened by now, or never will.
  void fence(std::uint64_t user) { history_.fence(user); }
  /// At the end, when nobody acts any more: what contradicts the rows as they are.
  Task<> judge(Client& client);

  const std::vector<Key>& rows() const noexcept { return rows_; }
  /// The first thing that went wrong; empty: nothing.
  const std::string& violation() const noexcept { return violation_; }
  /// Appends that were acknowledged.
  std::size_t committed() const;

 private:
  ReadRequest all_rows() const;
  void violated(std::string words);
  void record_reads(const History::Act& look, const ReadReply& seen);
  Task<bool> append(Client& client, const ReadReply& seen, std::uint64_t user);

  Rng& rng_;
  std::vector<Key> rows_;
  History history_;
  std::map<ShardId, Stamp> consumed_up_to_;
  std::set<std::uint64_t> consumed_;
  std::string violation_;
};

}  // namespace kiseki::shard::detail
