#pragma once

#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/task.h"
#include "shard/detail/machine.h"
#include "shard/detail/reference_rows.h"
#include "shard/detail/remains.h"

namespace kiseki::shard::detail {

enum class Attempt : std::uint8_t {
  first,  ///< No other copy is under way, and none follows an answer: a refusal foreseen is final.
  again,
};

struct ProposeRequest {
  using Reply = Answer;
  Proposal proposal;
  Attempt attempt = Attempt::first;
};

struct PartReply {
  std::vector<ReadReply::Got> gets;
  std::vector<ReadReply::Scanned> scans;
  std::vector<Counters> counters;
  /// Transactions that change what was read, and whose fate another shard knows. The rows are as before them.
  std::vector<Holder> undecided;
};

/// Of one shard: rows of one moment.
struct PartRequest {
  using Reply = PartReply;
  std::vector<Get> gets;
  std::vector<Scan> scans;
  std::vector<LeafAddress> counters;
};

/// Of the transaction whose primary is here.
struct StatusRequest {
  using Reply = Status;
  Holder holder;
};

/// True when the transaction holds nothing here any more, false when `limit` passed before.
struct ReleasedRequest {
  using Reply = bool;
  TransactionId id;
  Duration limit;
};

/// A transaction that a shard has prepared.
struct Standing {
  Holder holder;
  std::vector<NamespaceEpoch> namespaces;
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

struct StandingRequest {
  using Reply = Standings;
};

/// Rows that consumers scan, and the slots these speak for.
struct Scanned {
  std::vector<Row> rows;
  SlotRange range;
};

/// Scanned rows with stamps > `after`, oldest first; all those of the last stamp. No row with a smaller stamp
/// comes later: rows get the stamp of the entry that makes them visible (rule 1.7).
struct ScanRequest {
  using Reply = Scanned;
  Kind kind;
  Stamp after;
  std::uint32_t rows_max;
};

/// Pending rows of sessions that are gone.
struct PendingRequest {
  using Reply = std::vector<Row>;
  GoneSessions gone;
  std::uint32_t rows_max;
};

/// To the system shard's leader: these sessions are alive. Replied are those that are fenced.
struct BeatRequest {
  using Reply = std::vector<SessionId>;
  std::vector<SessionId> living;
};

/// To the same: which of the open sessions have not beaten for a term?
struct SilentRequest {
  using Reply = std::vector<SessionId>;
  std::vector<SessionId> open;
};

/// What a shard says of chunks, at one moment (rule 6.6).
struct Judgement {
  SlotRange range;
  GcEpoch epoch;
  bool is_known = false;
  std::vector<bool> counted;  ///< As asked.
};

struct JudgeRequest {
  using Reply = Judgement;
  std::vector<ChunkId> chunks;
};

/// Chunks that lost references before `below`.
struct DeadRequest {
  using Reply = ReferenceRows::Page;
  ChunkId from;
  GcEpoch below;
  std::uint32_t rows_max;
};

/// What may be asked of a shard, and what it replies to each.
using Request =
    std::variant<ProposeRequest, PartRequest, StatusRequest, ReleasedRequest, StandingRequest, ScanRequest,
                 PendingRequest, BeatRequest, SilentRequest, JudgeRequest, DeadRequest>;
using Reply = std::variant<Answer, PartReply, Status, bool, Standings, Scanned, std::vector<Row>,
                           std::vector<SessionId>, Judgement, ReferenceRows::Page>;

/// A shard as clients reach it, wherever it is.
class ShardPort {
 public:
  virtual ~ShardPort() = default;
  /// The reply is of the type that the request names. An error leaves the outcome of a proposal unknown, but
  /// for `no_space` and `cancelled` of a first attempt, `not_leader`, and `invalid_argument` and `too_large`:
  /// what no client sends. A read of slots that lie elsewhere is `stale`.
  virtual Task<Result<Reply>> call(Request request) = 0;

  template <class Asked>
  Task<Result<typename Asked::Reply>> ask(Asked request) {
    auto reply = co_await call(std::move(request));
    if (!reply) co_return fail(std::move(reply).error());
    co_return std::get<typename Asked::Reply>(*std::move(reply));
  }
};

}  // namespace kiseki::shard::detail
