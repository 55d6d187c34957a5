#pragma once

#include <map>
#include <set>

#include "shard/rows/draft.h"
#include "shard/rows/prepared.h"
#include "shard/rows/state_rows.h"

namespace kiseki::shard::detail {

/// What was answered to a session, for exact retries (rule 4.4), and which sessions are fenced. In memory,
/// and in the state family of one shard.
class Sessions {
 public:
  /// Of one session; then nothing new is begun. What was begun may still end, up to the second.
  static constexpr std::size_t results_max = 4096, results_kept = 2 * results_max;
  static constexpr std::size_t sessions_max = 1U << 16;

  /// A result that was answered. Of decisions also where their row is.
  struct Kept {
    Outcome outcome;
    std::optional<LeafAddress> decided_at;
  };
  /// Value of the row of a session's results of neighbouring sequences, `block_size` to a row: each is
  /// written again and again while its transactions end, and goes once.
  struct Block {
    std::uint64_t low_water = 0;                         ///< The session's, when the row was written.
    std::vector<std::pair<std::uint8_t, Kept>> results;  ///< By place in the block, rising.

    std::string encode() const;
    static Result<Block> decode(View bytes);
  };
  static constexpr std::uint64_t block_size = 64;

  explicit Sessions(ShardId shard) : shard_(shard) {}
  Result<> load(kv::KvStore& store);

  bool is_fenced(SessionId session) const;
  /// Those that are not gone.
  std::vector<SessionId> fenced() const;
  /// Sequences below it are finished and forgotten.
  std::uint64_t low_water(SessionId session) const;
  /// A result of this sequence would be more than `max`; the oldest that is open always has room.
  bool is_full(TransactionId id, std::uint64_t low_water, std::size_t max) const;
  bool knows(SessionId session) const { return sessions_.contains(session) || is_gone(session); }
  /// Nothing is kept of a session more.
  bool is_crowded() const noexcept { return sessions_.size() >= sessions_max; }
  /// Whether all that would go are fenced here, as everywhere: the others live, or will.
  bool are_fenced(const GoneSessions& gone) const;
  const Kept* find(TransactionId id) const;

  /// Keeps a result; drops those below the session's low-water mark, which never falls. A no-op for session
  /// 0, the node's own, whose requests may be repeated.
  void keep(Draft& draft, TransactionId id, std::uint64_t low_water, Kept kept);
  void fence(Draft& draft, SessionId session);
  /// The shard `child` remembers all that this one does; decision rows in `upper` are its own from now on.
  void copy(Draft& draft, ShardId child, SlotRange upper);
  /// They are fenced for ever; their results and decisions are dropped, and what was kept of each.
  void forget(Draft& draft, const GoneSessions& gone);

 private:
  struct Session {
    bool fenced = false;
    std::uint64_t low_water = 0;
    std::map<std::uint64_t, Kept> results;
    std::set<std::uint64_t> blocks;  // that have a row
  };
  void drop_below(Draft& draft, SessionId id, Session& session, std::uint64_t sequence);
  static std::string block_key(ShardId shard, SessionId session, std::uint64_t block);
  void copy_results(Draft& draft, ShardId child, SessionId id, Session& session, SlotRange upper);
  /// As it stands, for the row of the block.
  static Block block_of(const Session& session, std::uint64_t block);

  bool is_gone(SessionId session) const;

  ShardId shard_;
  GoneSessions gone_;
  std::unordered_map<SessionId, Session> sessions_;
};

}  // namespace kiseki::shard::detail
