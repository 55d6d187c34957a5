#pragma once

#include <algorithm>
#include <vector>

#include "base/clock.h"
#include "base/task.h"
#include "shard/detail/machine.h"

namespace kiseki::shard::detail {

/// Of one shard: rows of one moment.
struct PartRequest {
  std::vector<Get> gets;
  std::vector<Scan> scans;
  std::vector<LeafAddress> counters;
};

struct PartReply {
  std::vector<ReadReply::Got> gets;
  std::vector<ReadReply::Scanned> scans;
  std::vector<Counters> counters;
  /// Transactions that change what was read, and whose fate another shard knows. The rows are as before them.
  std::vector<Holder> undecided;
};

/// Sessions that were fenced in every shard: all up to `last` but the living.
struct GoneSessions {
  SessionId last;
  std::vector<SessionId> living;  ///< Sorted.

  bool contains(SessionId session) const {
    return session <= last && !std::ranges::binary_search(living, session);
  }
};

/// A transaction that a shard has prepared.
struct Standing {
  Holder holder;
  Stamp prepared;
  std::vector<SpaceEpoch> spaces;
};

enum class Attempt : std::uint8_t {
  first,  ///< No earlier copy can be under way: a refusal foreseen is final.
  again,
};

/// What clients ask of a shard, wherever it is. An error leaves the outcome of a proposal unknown, but for
/// `no_space` and `cancelled` of a first attempt.
class ShardPort {
 public:
  virtual ~ShardPort() = default;
  virtual Task<Result<Answer>> propose(Proposal proposal, Attempt attempt) = 0;
  virtual Task<Result<PartReply>> read(PartRequest request) = 0;
  /// Of the transaction whose primary is here.
  virtual Task<Result<Status>> status(TransactionId id) = 0;
  /// True when the transaction holds nothing here any more, false when `limit` passed before.
  virtual Task<Result<bool>> released(TransactionId id, Duration limit) = 0;
  virtual Task<Result<std::vector<Standing>>> standing() = 0;
  /// Scanned rows with stamps > `after`, oldest first; all those of the last stamp.
  virtual Task<Result<std::vector<Row>>> scan(Kind kind, Stamp after, std::uint32_t rows_max) = 0;
  /// Pending rows of sessions that are gone.
  virtual Task<Result<std::vector<Row>>> pending(GoneSessions gone, std::uint32_t rows_max) = 0;
};

}  // namespace kiseki::shard::detail
