#pragma once

#include <atomic>

#include "base/scope.h"
#include "base/sync.h"
#include "shard/client.h"
#include "shard/client/branches.h"
#include "shard/client/resolver.h"
#include "shard/client/sequences.h"

namespace kiseki::shard::detail {

/// A session of one core's user: numbers its transactions, delivers them exactly once, coordinates those over
/// several shards, and reads. `routes` and the core outlive it.
class Session {
 public:
  struct Options {
    SessionId id;
    Resolver::Patience patience{};
    Duration limit = std::chrono::seconds(30);  ///< Of one call.
    std::uint64_t open_max = 1024;              ///< Transactions under way.
  };
  Session(Options options, const Routes& routes, CoreServices core);

  Task<Result<Outcome>> commit(Transaction transaction);
  Task<Result<ReadReply>> read(ReadRequest request);
  Task<Result<std::vector<Counters>>> counters(std::vector<LeafAddress> leaves);
  Task<Result<>> configure(NamespaceId ns, std::uint32_t epoch, NamespaceState state);
  Task<Result<std::vector<Row>>> scan(ShardId shard, Kind kind, Stamp after, std::uint32_t rows_max);
  Task<Result<std::vector<Row>>> abandoned(ShardId shard, std::uint32_t rows_max);

  const Routes& routes() const noexcept { return routes_; }
  SessionId id() const noexcept { return options_.id; }
  /// Commits are answered `fenced` from now on. From any core.
  void fence() noexcept { is_fenced_ = true; }
  bool is_fenced() const noexcept { return is_fenced_; }
  Clock& clock() const noexcept { return *core_.clock; }
  Executor executor() const noexcept { return core_.executor; }
  /// Ends what is under way in the background; what is left of it, others resolve.
  Task<> stop() { return background_.stop(); }
  void request_stop() { background_.request_stop(); }

 private:
  friend class Coordinator;

  /// Tries of one call, with a longer pause before each.
  struct Tries {
    BootTime until;
    Errc late = Errc::timed_out;  ///< The error when the time has run out, with these words.
    const char* words = "a shard is being split";
    Duration pause = std::chrono::milliseconds(1);
  };

  /// Proposes until there is an answer that is none of `blocked` and `full`, or `deadline` has passed: then
  /// `timed_out`, or `blocked` as it is. Makes way for it meanwhile.
  Task<Result<Answer>> deliver(ShardPort& port, std::shared_ptr<const Proposal> proposal,
                               std::optional<Holder> asking, BootTime deadline);
  /// The same, to the shard that has `leaf`, wherever splits take it.
  Task<Result<Answer>> deliver_to(LeafAddress leaf, Proposal proposal, BootTime deadline);
  Task<Result<Outcome>> commit_anywhere(Transaction transaction);
  /// Gives `transaction` back when the shard does not have its rows.
  Task<Result<Answer>> commit_one(Route route, Transaction& transaction, BootTime until);
  Task<Result<Outcome>> commit_many(Transaction transaction, Semaphore::Permit permit);
  std::optional<Route> route_of_all(const ReadRequest& request) const;
  Task<Result<ReadReply>> read_once(const ReadRequest& request);
  /// `stale` when the rows lie in another shard.
  Task<Result<RowsReply>> read_rows(Route route, RowsRequest request);
  Task<Result<bool>> carry_out_all(Route route, const std::vector<Holder>& undecided);
  /// The slots in which nothing older is left.
  Task<Result<SlotRange>> drain(Route route, NamespaceId ns, std::uint32_t epoch, BootTime deadline);
  /// Adds what has answered for `slot`; when it was not the shard of that slot, the routes need a moment.
  Task<Result<>> cover(Coverage& coverage, Slot slot, SlotRange range, Tries tries);
  /// Waits before the next try; `cancelled` when the session is stopping.
  Task<Result<>> wait_to_try(Tries& tries);
  BootTime deadline() const { return clock().now() + options_.limit; }

  Options options_;
  const Routes& routes_;
  CoreServices core_;
  Resolver resolver_;
  Sequences sequences_;
  std::atomic<bool> is_fenced_ = false;
  Semaphore slots_;
  Scope background_;
};

/// The error is of a kind that another try may not meet.
bool may_retry(const Error& error) noexcept;

}  // namespace kiseki::shard::detail
