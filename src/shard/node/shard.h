#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>

#include "base/core.h"
#include "base/sync.h"
#include "kv/kv_store.h"
#include "raft/replica.h"
#include "shard/machine/deleted_rows_scan.h"
#include "shard/machine/machine.h"
#include "shard/node/heartbeats.h"
#include "shard/node/journal.h"
#include "shard/node/stamp_clock.h"
#include "shard/shard_port.h"

namespace kiseki::shard::detail {

/// One shard on its core: proposes, applies, answers, reads. Every write to the shard's rows is made by its
/// own `apply` on this core, so whatever is read without a suspension is one moment.
class Shard final : public raft::StateMachine, public ShardPort {
 public:
  /// A proposal not answered by then has an unknown outcome.
  static constexpr Duration answer_limit = std::chrono::seconds(30);
  /// `stamps` is that of all shards of the node; `pool` reads rows that are not in memory.
  Shard(std::unique_ptr<Machine> machine, kv::KvStore& store, BlockingPool& pool, Clock& clock,
        StampClock& stamps);

  /// Until then nothing but `apply` is called. The journal outlives every call.
  void attach(Journal& journal) noexcept { journal_ = &journal; }
  /// While there is none, proposals that add rows are answered `no_space`.
  void set_room(bool has_room) noexcept { has_room_ = has_room; }
  /// Called when the range has become smaller: after a split, whose child has its rows, or by a snapshot; and
  /// when the group goes on without this replica.
  void on_change(std::function<void()> call) { on_change_ = std::move(call); }
  /// The state is that of a snapshot from now on.
  Result<> restore(std::unique_ptr<Machine> machine);
  /// Every call, also those under way, answers `cancelled`.
  void stop();
  /// No call is under way any more.
  Task<> quiet();
  const Machine& machine() const noexcept { return *machine_; }

  // raft::StateMachine
  Result<> apply(std::span<const raft::Entry> committed, const raft::ConfState* conf) override;
  raft::Index applied() const override { return machine_->applied(); }
  Result<raft::Index> applied_durable() const override { return machine_->applied_durable(); }
  std::optional<raft::ConfState> configuration() const override { return machine_->configuration(); }
  void leadership(raft::Role role, raft::Term term) override;
  /// Calls answer `not_leader` from now on.
  void removed() override;
  /// Nobody waits for answers that will not come.
  void failed() override { stop(); }

  // ShardPort
  Task<Result<Reply>> call(Request request, Duration limit) override;

 private:
  struct Waiter {
    raft::Term term;
    Machine::Made made;  // null where it was not found valid
    std::optional<Answer> answer;
    bool replaced = false;
    bool lost = false;
    ::kiseki::Event done;
  };
  /// Counts a call that is under way.
  class Call;
  Task<Result<Reply>> propose(ProposeRequest request, Duration limit);
  Task<Result<Reply>> released(ReleasedRequest request);
  Task<Result<Reply>> newest(Request request);
  /// Rows that are not in memory are fetched first: what is seen is of one moment all the same.
  Task<Result<std::optional<Answer>>> foresee(std::shared_ptr<const Proposal> proposal);
  Task<Result<Reply>> look_at_rows(const RowsRequest& request);
  Result<Reply> look(const Request& request);
  /// What passes over many rows, on the pool where they are not in memory.
  Task<Result<Reply>> walk(const Request& request);
  Task<Result<Reply>> for_sweep();
  Task<Result<DeletedRows>> look_for_deleted();
  std::vector<SessionId> beat(const std::vector<SessionId>& sessions);
  Task<Result<Reply>> await(raft::Replica::Position position, Machine::Made made, Duration limit);
  /// The proposal that waits for the entry.
  Machine::Made made_here(const raft::Entry& entry) const;
  /// Why calls are not served any more.
  std::unexpected<Error> refusal() const;
  void lose_waiters();

  std::unique_ptr<Machine> machine_;
  kv::KvStore& store_;
  BlockingPool& pool_;
  Clock& clock_;
  StampClock& stamps_;
  Journal* journal_ = nullptr;
  std::function<void()> on_change_;
  std::unordered_map<raft::Index, Waiter*> waiters_;
  WaitList releases_;
  Heartbeats heartbeats_;
  std::optional<DeletedRowsScan> deleted_rows_ = DeletedRowsScan();  // none: a look is under way
  std::uint64_t restored_ = 0;                                       // states of snapshots taken in
  ::kiseki::Event idle_;
  std::size_t calls_ = 0;
  bool has_room_ = true;
  bool stopped_ = false;
  bool removed_ = false;
  Leadership leadership_;
};

}  // namespace kiseki::shard::detail
