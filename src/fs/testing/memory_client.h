#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "base/rng.h"
#include "shard/client.h"

namespace kiseki::fs {

/// The rows of a whole key space in memory, for tests: transactions as docs/protocols.md has them, without
/// replicas. Several clients share it; each call gives others a turn before and after it takes effect, in an
/// order that the seed chooses.
class MemoryShards {
 public:
  struct Options {
    std::uint32_t shards = 4;  ///< Beside the system's.
    std::uint64_t entries_max = shard::leaf_entries_max;
    Bytes bytes_max = shard::leaf_bytes_max;
    Bytes reply_max = 8_MiB;            ///< A scan ends where its rows are this long.
    std::uint64_t refused_percent = 0;  ///< Commits answered as `aborted` for no reason.
  };

  /// All outlive it.
  MemoryShards(Executor executor, Clock& clock, std::uint64_t seed, Options options);
  MemoryShards(Executor executor, Clock& clock, std::uint64_t seed)
      : MemoryShards(executor, clock, seed, Options()) {}

  /// What a client is made to suffer.
  struct Fate {
    std::optional<std::uint64_t> commits_left;  ///< After so many commits every call answers `cancelled`.
    bool last_answer_lost = false;              ///< The last commit happens and its answer is `cancelled`.
    std::optional<std::uint64_t> unanswered;    ///< That commit from now on happens and answers `timed_out`.
    std::uint64_t commits = 0;                  ///< So far.
    bool dead = false;
  };
  class Session;

  /// A new session.
  std::unique_ptr<shard::Client> connect(std::shared_ptr<Fate> fate = nullptr);
  /// From here on none of its commits is accepted, and its pending rows are for the sweeper.
  void fence(SessionId session) { fenced_.insert(session); }

  std::size_t count(shard::Kind kind) const;
  std::vector<shard::Row> rows(shard::Kind kind) const;
  /// Every row, in key order.
  const std::map<std::string, shard::Row>& all() const noexcept { return rows_; }
  shard::Counters counters(const shard::LeafAddress& leaf) const;
  /// Puts a row as it is, for tests of damage.
  void overwrite(const shard::Row& row) { rows_[row.key.encode()] = row; }
  /// A garbage round began: chunks that were put before cannot be linked until they are touched.
  void raise_chunk_epoch(GcEpoch epoch) { chunk_epoch_ = epoch; }
  /// Transactions that were refused for it.
  std::size_t chunks_refused() const noexcept { return chunks_refused_; }
  void set_refused_percent(std::uint64_t percent) { options_.refused_percent = percent; }

 private:
  friend class Session;
  struct Configuration {
    std::uint32_t epoch = 1;
    shard::NamespaceState state = shard::NamespaceState::active;
  };

  Task<> take_turns();
  std::uint32_t raised(const shard::ReadRequest& request) const;
  shard::ReadReply read(const shard::ReadRequest& request) const;
  Result<shard::Outcome> commit(const shard::Transaction& transaction);
  std::optional<shard::Outcome> refused(const shard::Transaction& transaction) const;
  std::optional<shard::Outcome> refused(const shard::Assert& assertion, std::uint32_t index) const;
  void apply(const shard::Operation& operation, Stamp stamp, std::uint64_t time_ms);
  void put(shard::Row row, std::uint64_t time_ms);
  void erase(const shard::Key& key, std::uint64_t time_ms);
  void count_entry(const shard::Row& row, int sign, std::uint64_t time_ms);
  ShardId shard_of(const shard::LeafAddress& leaf) const;
  const shard::Row* find(const shard::Key& key) const;
  bool holds_entry(const shard::LeafAddress& leaf) const;
  Result<> check(const shard::Transaction& transaction) const;

  Executor executor_;
  Clock& clock_;
  SeededRng rng_;
  Options options_;
  std::map<std::string, shard::Row> rows_;
  std::map<shard::LeafAddress, shard::Counters> counters_;
  std::map<NamespaceId, Configuration> configurations_;
  std::set<SessionId> fenced_;
  std::set<shard::LeafAddress> emptied_;  // by the transaction being applied
  GcEpoch chunk_epoch_;
  std::size_t chunks_refused_ = 0;
  std::uint64_t last_stamp_ = 0;
  std::uint64_t sessions_ = 0;
};

}  // namespace kiseki::fs
