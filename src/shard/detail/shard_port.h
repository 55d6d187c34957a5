#pragma once

#include <algorithm>
#include <vector>

#include "base/clock.h"
#include "base/task.h"
#include "shard/detail/machine.h"
#include "shard/detail/reference_rows.h"
#include "shard/detail/remains.h"

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

/// What a shard says of chunks, at one moment (rule 6.6).
struct Judgement {
  SlotRange range;
  GcEpoch epoch;
  bool is_known = false;
  std::vector<bool> counted;  ///< As asked.
};

/// A transaction that a shard has prepared.
struct Standing {
  Holder holder;
  Stamp prepared;
  std::vector<SpaceEpoch> spaces;
};

/// All that a shard has prepared, whom it has fenced and not forgotten, some of what they and deleted
/// namespaces have left, and the slots this speaks for.
struct Standings {
  std::vector<Standing> all;
  std::vector<SessionId> fenced;  ///< Here; by a broken lock only here.
  Remains::Some remains;
  std::vector<Row> locks;  ///< Some of theirs.
  SlotRange range;
};

/// Rows that consumers scan, and the slots these speak for.
struct Scanned {
  std::vector<Row> rows;
  SlotRange range;
};

enum class Attempt : std::uint8_t {
  first,  ///< No other copy is under way, and none follows an answer: a refusal foreseen is final.
  again,
};

/// What clients ask of a shard, wherever it is. An error leaves the outcome of a proposal unknown, but for
/// `no_space` and `cancelled` of a first attempt, `not_leader`, and `invalid_argument` and `too_large`: what
/// no client sends. A read of slots that lie elsewhere is `stale`.
class ShardPort {
 public:
  virtual ~ShardPort() = default;
  virtual Task<Result<Answer>> propose(Proposal proposal, Attempt attempt) = 0;
  virtual Task<Result<PartReply>> read(PartRequest request) = 0;
  /// Of the transaction whose primary is here.
  virtual Task<Result<Status>> status(Holder holder) = 0;
  /// True when the transaction holds nothing here any more, false when `limit` passed before.
  virtual Task<Result<bool>> released(TransactionId id, Duration limit) = 0;
  virtual Task<Result<Standings>> standing() = 0;
  /// Scanned rows with stamps > `after`, oldest first; all those of the last stamp. No row with a smaller
  /// stamp comes later: rows get the stamp of the entry that makes them visible (rule 1.7).
  virtual Task<Result<Scanned>> scan(Kind kind, Stamp after, std::uint32_t rows_max) = 0;
  /// Pending rows of sessions that are gone.
  virtual Task<Result<std::vector<Row>>> pending(GoneSessions gone, std::uint32_t rows_max) = 0;
  /// Of the system shard's leader: these sessions are alive. Returns those that are fenced.
  virtual Task<Result<std::vector<SessionId>>> beat(std::vector<SessionId> sessions) = 0;
  /// The same: which of the open sessions have not beaten for a term.
  virtual Task<Result<std::vector<SessionId>>> silent(std::vector<SessionId> open) = 0;
  virtual Task<Result<Judgement>> judge(std::vector<ChunkId> chunks) = 0;
  /// Chunks that lost references before `below`.
  virtual Task<Result<ReferenceRows::Page>> dead(ChunkId from, GcEpoch below, std::uint32_t rows_max) = 0;
};

}  // namespace kiseki::shard::detail
