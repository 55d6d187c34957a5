#pragma once

#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/task.h"
#include "shard/transaction.h"

namespace kiseki::shard {

/// One core's services, by reference; they outlive the node.
struct CoreServices {
  Executor executor;
  Clock* clock = nullptr;
};

/// The shards as one core's user sees them: routes, retries exactly, runs transactions over several shards
/// and resolves what others left behind (PROTOCOLS section 4). Has a session of its own. Belongs to one core.
class Client {
 public:
  virtual ~Client() = default;

  /// Linearizable. Rows of several shards come from several snapshots. Waits for transactions that are under
  /// way on the rows, within bounds; `unavailable`, `busy`, `timed_out`, `corrupted`.
  virtual Task<Result<ReadReply>> read(ReadRequest request) = 0;

  /// Commits once, whatever is lost or repeated on the way. A refusal is an outcome; an error leaves it
  /// unknown
  /// (`timed_out`, `unavailable`) or says that the session may not write any more (`fenced`, for good).
  virtual Task<Result<Outcome>> commit(Transaction transaction) = 0;

  /// Counters of leaves, zero for those that are not there; each is read linearizably.
  virtual Task<Result<std::vector<Counters>>> counters(std::vector<LeafAddress> leaves) = 0;

  /// Every shard knows the new configuration, and nothing prepared under an older one is left.
  virtual Task<Result<>> configure(NamespaceId ns, std::uint32_t epoch, NamespaceState state) = 0;

  /// Rows that consumers scan, of one shard, with stamps > `after`, oldest first.
  virtual Task<Result<std::vector<Row>>> scan(ShardId shard, Kind kind, Stamp after,
                                              std::uint32_t rows_max) = 0;
  /// Pending rows of sessions that are fenced in every shard: what a sweeper may take.
  virtual Task<Result<std::vector<Row>>> abandoned(ShardId shard, std::uint32_t rows_max) = 0;
  virtual std::vector<ShardId> shards() const = 0;
  /// Whether one shard has both, as far as is known here: a hint.
  virtual bool are_together(const LeafAddress& one, const LeafAddress& other) const = 0;

  virtual SessionId session() const = 0;
  /// The clock's wall time in Unix milliseconds.
  virtual std::uint64_t time_ms() const = 0;
};

}  // namespace kiseki::shard
