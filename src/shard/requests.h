#pragma once

#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "shard/proposal.h"

// What may be asked of a shard, wherever it is, and what it replies.

namespace kiseki::shard {

/// What a shard says to a proposal.
struct Answer {
  enum class Type : std::uint8_t {
    decided,      ///< `outcome`, for good. Of `Decide` and `Resolve`: committed, or refused with `aborted`.
    prepared,     ///< Locked; `outcome.stamp` is the prepare's.
    blocked,      ///< By `holder`; nothing happened.
    stale,        ///< The sequence is below the session's low-water mark, or the epoch is an older one.
    fenced,       ///< The session may not write any more.
    full,         ///< Too many results or prepared transactions are kept; nothing happened.
    forgotten,    ///< The transaction is finished everywhere; nothing of it is known any more.
    wrong_shard,  ///< Slots it names lie in another shard now; nothing happened here, and nothing will.
    invalid,      ///< No client sends it, or not when the rows stand so; nothing happened, and nothing will.
  };
  Type type = Type::decided;
  Outcome outcome;
  std::optional<Holder> holder;  ///< Of `blocked`: who is in the way; of `prepared`: the transaction itself.
  std::vector<Record> moved;     ///< Of `prepared`: the records of the `move_out` operations, in order.
  SlotRange range;               ///< The slots this answer speaks for: the shard's, when it was given.
};

/// What is known of a transaction at the shard of its primary.
struct TransactionStatus {
  enum class Type : std::uint8_t { pending, committed, aborted, unknown };
  Type type = Type::unknown;
  Stamp stamp;  ///< Of the commit.
};

enum class Attempt : std::uint8_t {
  first,  ///< No other copy is under way, and none follows an answer: a refusal foreseen is final.
  again,
};

struct ProposeRequest {
  using Reply = Answer;
  ProposeRequest(Proposal what, Attempt which = Attempt::first)
      : proposal(std::make_shared<const Proposal>(std::move(what))), attempt(which) {}
  ProposeRequest(std::shared_ptr<const Proposal> what, Attempt which)
      : proposal(std::move(what)), attempt(which) {}

  std::shared_ptr<const Proposal> proposal;  // of who sends it, maybe again, and of the shard that applies it
  Attempt attempt;
};

struct RowsReply {
  std::vector<ReadReply::Got> gets;
  std::vector<ReadReply::Scanned> scans;
  std::vector<Counters> counters;
  /// Transactions that change what was read, and whose fate another shard knows. The rows are as before them.
  std::vector<Holder> undecided;
  std::uint32_t configuration = 0;  ///< As in `ReadReply`, of the first row's namespace.
};

/// Of one shard: rows of one moment.
struct RowsRequest {
  using Reply = RowsReply;
  std::vector<Get> gets;
  std::vector<Scan> scans;
  std::vector<LeafAddress> counters;
};

/// Of the transaction whose primary is here.
struct StatusRequest {
  using Reply = TransactionStatus;
  Holder holder;
};

/// True when the transaction holds nothing here any more, false when `limit` passed before.
struct ReleasedRequest {
  using Reply = bool;
  TransactionId id;
  Duration limit;
};

/// Some of what a deleted namespace has left in one shard.
struct DeletedRows {
  NamespaceEpoch ns;  ///< Whose rows they are; the epoch is its tombstone's.
  std::vector<Key> rows;
};

/// A transaction that a shard has prepared.
struct PreparedTransaction {
  Holder holder;
  std::vector<NamespaceEpoch> namespaces;
};

/// All that a shard has prepared, whom it has fenced and not forgotten, some of what they and deleted
/// namespaces have left, and the slots this speaks for.
struct SweepReply {
  std::vector<PreparedTransaction> prepared;
  std::vector<SessionId> fenced;  ///< Here; by a broken lock only here.
  DeletedRows deleted;
  std::vector<Row> locks;  ///< Some of theirs.
  SlotRange range;
};

struct SweepRequest {
  using Reply = SweepReply;
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
  std::vector<ChunkName> chunks;
};

/// A reference that went, in a slot.
struct DeadRow {
  ChunkName chunk{};
  Slot slot = 0;
  GcEpoch epoch;  ///< The shard's when the last one went.
};

/// References that went, by chunk.
struct DeadRows {
  std::vector<DeadRow> rows;
  std::optional<ChunkName> next;  ///< Where to go on; nothing: that was all.
};

/// Chunks that lost references before `below`.
struct DeadRequest {
  using Reply = DeadRows;
  ChunkName from;
  GcEpoch below;
  std::uint32_t rows_max;
};

/// What a replica believes; two may lead in different terms, of which the later is right.
struct Leadership {
  bool leads = false;
  std::uint64_t term = 0;
};

/// Answered by every replica, at once.
struct LeaderRequest {
  using Reply = Leadership;
};

/// Of a call, when its caller says nothing else.
inline constexpr Duration call_limit = std::chrono::seconds(30);

/// What may be asked of a shard, and what it replies to each. Numbers on the wire are places here, so new
/// ones come last.
using Request =
    std::variant<RowsRequest, ProposeRequest, StatusRequest, ReleasedRequest, SweepRequest, ScanRequest,
                 PendingRequest, BeatRequest, SilentRequest, JudgeRequest, DeadRequest, LeaderRequest>;
using Reply = std::variant<Answer, RowsReply, TransactionStatus, bool, SweepReply, Scanned, std::vector<Row>,
                           std::vector<SessionId>, Judgement, DeadRows, Leadership>;

}  // namespace kiseki::shard
