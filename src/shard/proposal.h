#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "shard/transaction.h"

// What a shard's Raft entries say (docs/formats/transaction.md).

namespace kiseki::shard {

struct TransactionId {
  SessionId session;
  std::uint64_t sequence = 0;
  friend auto operator<=>(const TransactionId&, const TransactionId&) = default;
};

/// A transaction that holds locks: who, since when, and where its fate is decided.
struct Holder {
  TransactionId id;
  Stamp age;
  Key primary;
  friend bool operator==(const Holder&, const Holder&) = default;
};

enum class Verdict : std::uint8_t { committed = 1, aborted = 2 };

/// No clock shows it; from here on a shard still counts one by one, and never comes to an end.
inline constexpr Stamp stamp_end{std::uint64_t{1} << 63};

/// A transaction that lies in this shard alone.
struct Commit {
  TransactionId id;
  std::uint64_t low_water = 0;  ///< Every sequence of the session below it is finished for good.
  Transaction transaction;

  /// Of the node itself, without a session.
  static Commit of_node(Transaction transaction) { return {{}, 0, std::move(transaction)}; }
};

/// This shard's part of a transaction: checked and locked.
struct Prepare {
  TransactionId id;
  std::uint64_t low_water = 0;
  Stamp age;  ///< Zero: the stamp of this prepare becomes the transaction's age.
  Key primary;
  Transaction branch;
};

/// At the primary's shard: the fate of a transaction, once. Anyone may ask for `aborted`.
struct Decide {
  TransactionId id;
  std::uint64_t low_water = 0;
  Key primary;
  Verdict verdict = Verdict::aborted;
  Stamp floor;  ///< The commit's stamp is above it: above every prepare.
};

/// At another shard: the fate, carried out.
struct Resolve {
  TransactionId id;
  Verdict verdict = Verdict::aborted;
  Stamp stamp;  ///< Of the decision.
};

/// Nothing of the session is accepted any more, but the end of what it has prepared.
struct Fence {
  SessionId session;
};

/// Sessions of which nothing can come any more: all up to `last` but the living.
struct GoneSessions {
  static constexpr std::size_t living_max = 1U << 17;
  SessionId last;
  std::vector<SessionId> living;  ///< Sorted.

  bool contains(SessionId session) const {
    return session <= last && !std::ranges::binary_search(living, session);
  }
  /// Whoever is gone stays so, in whatever order it is heard of.
  void add(const GoneSessions& more);
  void spare(SessionId session);

  std::string encode() const;
  static Result<GoneSessions> decode(View bytes);
};

/// These were fenced in every shard, and none of their intents is left in any: results and decisions go too.
struct Forget {
  GoneSessions gone;
};

struct Configure {
  NamespaceId ns;
  std::uint32_t epoch = 1;
  NamespaceState state = NamespaceState::active;
};

/// Chunks put before `epoch` are not referred to any more.
struct RaiseEpoch {
  GcEpoch epoch;
};

/// The slots from `first` on become a shard of their own, on the same replicas.
struct Split {
  ShardId child;  ///< Used by no other shard, ever.
  Slot first = 0;
};

/// What these chunks lost here before `below` is not needed any more.
struct Trim {
  static constexpr std::size_t chunks_max = 8192;
  GcEpoch below;
  std::vector<ChunkName> chunks;
};

struct Proposal {
  Stamp stamp;  ///< The leader's clock; apply takes this or one more than the last.
  std::variant<Commit, Prepare, Decide, Resolve, Fence, Forget, Configure, RaiseEpoch, Split, Trim> body;

  /// `invalid_argument`, `too_large`: what no client sends, whatever stands in the rows.
  Result<> validate() const;

  std::string encode() const { return encode(stamp); }
  /// As if it had this stamp.
  std::string encode(Stamp as_of) const;
  /// `wrong_format` when it is of a later version.
  static Result<Proposal> decode(View bytes);
};

}  // namespace kiseki::shard
