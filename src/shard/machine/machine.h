#pragma once

#include <functional>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "kv/kv_store.h"
#include "raft/types.h"
#include "shard/machine/check.h"
#include "shard/machine/locks.h"
#include "shard/machine/sessions.h"
#include "shard/requests.h"
#include "shard/rows/state_rows.h"

namespace kiseki::shard::detail {

/// An answer that says nothing but its type.
Answer of_type(Answer::Type type);

/// The state of one shard, a pure function of its entries: reads no clock and draws no random number. All
/// that the entries of one `apply` change is one batch of the store. Belongs to the shard's core.
class Machine {
 public:
  static constexpr std::size_t prepared_max = 1024;
  static constexpr std::size_t locks_max = 1U << 18;

  /// Writes the rows of a new shard, whose log begins after `base`.
  static void create(kv::Batch& batch, ShardId shard, SlotRange range, const raft::SnapshotMeta& base);
  /// Writes the row of a replica that waits for its first snapshot.
  static void create_empty(kv::Batch& batch, ShardId shard);
  /// The shards that have rows here, in order.
  static Result<std::vector<ShardId>> all(kv::KvStore& store);
  static Result<bool> is_there(kv::KvStore& store, ShardId shard);
  /// `corrupted` when there is no such shard.
  static Result<std::unique_ptr<Machine>> open(kv::KvStore& store, ShardId shard);

  /// What an entry was made from here: valid, and with which stamp. Null when that is not known.
  struct Made {
    const Proposal* proposal = nullptr;
    Stamp stamp;
  };
  using Known = std::function<Made(const raft::Entry&)>;
  /// One answer for each entry, in order. An error is final: what is committed could not be applied. No entry
  /// of this version's format causes one, whoever made it.
  Result<std::vector<Answer>> apply(std::span<const raft::Entry> entries, const raft::ConfState* conf,
                                    const Known& known = {});
  /// What `apply` would answer now, when that spends no entry; nothing when the proposal has to be made.
  Result<std::optional<Answer>> foresee(const Proposal& proposal,
                                        kv::Blocking blocking = kv::Blocking::allowed);

  /// `stale` when the primary lies in another shard now, and only that one knows.
  Result<TransactionStatus> status(const Holder& holder) const;
  /// The shards that entries applied since the last call have made; their rows are in the store.
  std::vector<ShardId> take_children() { return std::exchange(children_, {}); }
  ShardId id() const noexcept { return shard_; }
  SlotRange range() const noexcept { return range_; }
  raft::SnapshotMeta position() const;
  const std::optional<raft::ConfState>& configuration() const noexcept { return configuration_; }
  raft::Index applied() const noexcept { return progress_.applied; }
  Result<raft::Index> applied_durable();
  Stamp last() const noexcept { return progress_.last; }
  /// The lowest garbage epoch of chunks that a transaction may refer to anew.
  GcEpoch epoch() const noexcept { return progress_.epoch; }
  /// False while the shard does not know what went in this round: it was built from a snapshot.
  bool knows_references() const noexcept { return rebuilt_.is_none() || progress_.epoch > rebuilt_; }
  /// Rises with every namespace that is deleted; at least one.
  std::uint64_t deletions() const noexcept { return deletions_; }
  /// The configuration epoch of a namespace in use, where it is not the first; else 0.
  std::uint32_t raised(NamespaceId ns) const {
    if (raised_.empty()) return 0;
    const auto found = raised_.find(ns);
    return found == raised_.end() ? 0 : found->second;
  }
  const Locks& locks() const noexcept { return locks_; }
  const Sessions& sessions() const noexcept { return sessions_; }
  /// Rows as they stand, through the cache of those used last.
  Draft reader(kv::Blocking blocking) { return Draft(store_, &cache_, blocking); }

 private:
  Machine(kv::KvStore& store, ShardId shard)
      : store_(store), shard_(shard), locks_(shard), sessions_(shard) {}

  Result<Answer> apply_entry(Draft& draft, const raft::Entry& entry, Made made);
  Result<Answer> apply_body(Draft& draft, Stamp proposed, const Commit& commit);
  Result<Answer> apply_body(Draft& draft, Stamp proposed, const Prepare& prepare);
  Result<Answer> apply_body(Draft& draft, Stamp proposed, const Decide& decide);
  Result<Answer> apply_body(Draft& draft, Stamp proposed, const Resolve& resolve);
  Result<Answer> apply_body(Draft& draft, Stamp proposed, const Fence& fence);
  Result<Answer> apply_body(Draft& draft, Stamp proposed, const Forget& forget);
  Result<Answer> apply_body(Draft& draft, Stamp proposed, const Configure& configure);
  Result<Answer> apply_body(Draft& draft, Stamp proposed, const RaiseEpoch& raise);
  Result<Answer> apply_body(Draft& draft, Stamp proposed, const Split& split);
  Result<Answer> apply_body(Draft& draft, Stamp proposed, const Trim& trim);

  /// The answers that need no look at rows; nothing when the transaction is to be checked.
  std::optional<Answer> remembered(TransactionId id) const;
  /// The same, and when a row lies in another shard.
  std::optional<Answer> answered(TransactionId id, const Transaction& transaction) const;
  Result<std::optional<Answer>> look_ahead(Draft& draft, const Proposal& proposal) const;
  Result<std::optional<Answer>> prepared_before(Draft& draft, const Prepare& prepare) const;
  Result<Answer> answer_prepared(Draft& draft, const Prepared& prepared, const Transaction& branch) const;
  Result<Checked> check(Draft& draft, const Transaction& transaction, Check::Purpose purpose) const;
  bool locks_are_full(const Transaction& branch) const;
  void fence_holders(Draft& draft, const Transaction& transaction);
  /// Ends a prepared transaction: carries out what it staged, or not.
  Result<> settle(Draft& draft, TransactionId id, Verdict verdict, Stamp version);
  Stamp next_stamp(Stamp at_least);
  Result<> write(Draft& draft) const;
  Result<> load_raised();
  void note(NamespaceId ns, const NamespaceConfiguration& configuration);
  Result<> copy_to_child(Draft& draft, ShardId child, SlotRange upper);

  kv::KvStore& store_;
  ShardId shard_;
  SlotRange range_ = no_slots;
  Progress progress_;
  GcEpoch rebuilt_;
  std::optional<raft::ConfState> configuration_;
  std::vector<ShardId> children_;
  std::uint64_t deletions_ = 1;
  std::unordered_map<NamespaceId, std::uint32_t> raised_;  // what state rows say, of namespaces in use
  Locks locks_;
  Sessions sessions_;
  RowCache cache_;
};

}  // namespace kiseki::shard::detail
