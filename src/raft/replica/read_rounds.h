#pragma once

#include <map>
#include <memory>

#include "base/sync.h"
#include "raft/types.h"

namespace kiseki::raft::detail {

/// One question to a majority whether this replica still leads, on behalf of all reads of one turn.
struct ReadRound {
  BootTime sent{};
  std::optional<Error> error;
  Event done;
};

/// The rounds of a leader in one term, by the engine's sequence number. A read may only join a round that was
/// not sent yet: answers to an older one say nothing of the time after.
class ReadRounds {
 public:
  /// Shared by the reads that wait for it and the rounds that are under way.
  using RoundPtr = std::shared_ptr<ReadRound>;

  RoundPtr join();
  bool wants_one() const { return next_ != nullptr; }
  bool is_empty() const { return next_ == nullptr && sent_.empty() && confirmed_.empty(); }
  void on_sent(std::uint64_t sequence, BootTime now);
  /// A majority answered: nothing for a round of another term. What waits for it may go on once `index` is
  /// applied.
  std::optional<BootTime> confirm(const ReadState& state);
  void on_applied(Index applied);
  void fail_all(const Error& error);

 private:
  RoundPtr next_;
  std::map<std::uint64_t, RoundPtr> sent_;
  std::multimap<Index, RoundPtr> confirmed_;
};

}  // namespace kiseki::raft::detail
