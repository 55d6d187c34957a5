#include "raft/replica/read_rounds.h"

#include "base/planted.h"

namespace kiseki::raft::detail {

ReadRounds::RoundPtr ReadRounds::join() {
  if (!sent_.empty() && KISEKI_PLANTED("read joined to a round under way")) return sent_.rbegin()->second;
  if (!next_) next_ = std::make_shared<ReadRound>();
  return next_;
}

void ReadRounds::on_sent(std::uint64_t sequence, BootTime now) {
  next_->sent = now;
  sent_.emplace(sequence, std::exchange(next_, nullptr));
}

std::optional<BootTime> ReadRounds::confirm(const ReadState& state) {
  const auto found = sent_.find(state.sequence);
  if (found == sent_.end()) return std::nullopt;
  const BootTime sent = found->second->sent;
  confirmed_.emplace(state.index, std::move(found->second));
  sent_.erase(found);
  return sent;
}

void ReadRounds::on_applied(Index applied) {
  while (!confirmed_.empty() && confirmed_.begin()->first <= applied) {
    confirmed_.begin()->second->done.set();
    confirmed_.erase(confirmed_.begin());
  }
}

void ReadRounds::fail_all(const Error& error) {
  const auto fail_one = [&error](ReadRound& round) {
    round.error = error;
    round.done.set();
  };
  if (next_) fail_one(*next_);
  for (const auto& [sequence, round] : sent_) fail_one(*round);
  for (const auto& [index, round] : confirmed_) fail_one(*round);
  next_.reset();
  sent_.clear();
  confirmed_.clear();
}

}  // namespace kiseki::raft::detail
