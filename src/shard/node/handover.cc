#include "shard/node/handover.h"

#include "base/logging.h"
#include "base/planted.h"

namespace kiseki::shard::detail {

namespace {
constexpr Duration interval = std::chrono::seconds(1);
}  // namespace

Task<> Handover::run(Scope& scope) {
  bool was_off = false;
  do {
    co_await watch_.look();
    if (!std::exchange(was_off, watch_.is_off()) && was_off) {
      log::warning("shard",
                   "the wall clock of this node is off by more than half a second: it leads no shard");
    }
    if (!was_off || KISEKI_PLANTED("1.7 a leader whose clock is off goes on")) continue;
    ++turn_;
    for (LocalReplica* const replica : replicas_.all()) co_await hand_over(*replica);
  } while (co_await scope.sleep(clock_, interval));
}

/// To each in turn: a voter whose clock is right may be too far behind to take over, or too slow.
Task<> Handover::hand_over(LocalReplica& replica) {
  const auto status = co_await replica.status();
  if (!status.leader()) co_return;
  const auto& voters = status.replica.conf.voters;
  for (std::size_t i = 0; i < voters.size(); ++i) {
    const raft::NodeId node = raft::node_of(voters[(turn_ + i) % voters.size()]);
    if (node == replicas_.node() || !watch_.is_near(node)) continue;
    if (co_await replica.transfer_leader(node)) co_return;
  }
}

}  // namespace kiseki::shard::detail
