#include "shard/detail/group_port.h"

#include <algorithm>
#include <fmt/format.h>

#include "shard/detail/session.h"

namespace kiseki::shard::detail {

GroupPort::GroupPort(ShardId shard, const Places& places, Peers& peers)
    : shard_(shard), places_(places), peers_(peers), favourite_(places.node()) {}

std::vector<raft::NodeId> GroupPort::order() const {
  auto nodes = peers_.nodes();
  if (std::ranges::find(nodes, places_.node()) == nodes.end()) nodes.push_back(places_.node());
  std::ranges::sort(nodes);
  const auto first = std::ranges::lower_bound(nodes, favourite_.load());
  std::ranges::rotate(nodes, first);
  return nodes;
}

ShardPort* GroupPort::port_of(raft::NodeId node) const {
  return node == places_.node() ? places_.port(shard_) : &peers_.port(node, shard_);
}

template <class Call>
std::invoke_result_t<Call&, ShardPort&> GroupPort::ask(Call call) {
  for (const raft::NodeId node : order()) {
    ShardPort* const port = port_of(node);
    if (port == nullptr) continue;
    auto answer = co_await call(*port);
    if (answer) {
      favourite_ = node;
      co_return answer;
    }
    if (answer.error().code() == Errc::not_leader) continue;
    if (may_retry(answer.error())) favourite_ = node + 1;
    co_return answer;
  }
  co_return fail(Errc::not_leader, fmt::format("shard {}: no replica leads", shard_.value()));
}

Task<Result<Answer>> GroupPort::propose(Proposal proposal, Attempt attempt) {
  return ask(
      [proposal = std::move(proposal), attempt](ShardPort& port) { return port.propose(proposal, attempt); });
}

Task<Result<PartReply>> GroupPort::read(PartRequest request) {
  return ask([request = std::move(request)](ShardPort& port) { return port.read(request); });
}

Task<Result<Status>> GroupPort::status(Holder holder) {
  return ask([holder = std::move(holder)](ShardPort& port) { return port.status(holder); });
}

Task<Result<bool>> GroupPort::released(TransactionId id, Duration limit) {
  return ask([id, limit](ShardPort& port) { return port.released(id, limit); });
}

Task<Result<Standings>> GroupPort::standing() {
  return ask([](ShardPort& port) { return port.standing(); });
}

Task<Result<Scanned>> GroupPort::scan(Kind kind, Stamp after, std::uint32_t rows_max) {
  return ask([kind, after, rows_max](ShardPort& port) { return port.scan(kind, after, rows_max); });
}

Task<Result<std::vector<Row>>> GroupPort::pending(GoneSessions gone, std::uint32_t rows_max) {
  return ask([gone = std::move(gone), rows_max](ShardPort& port) { return port.pending(gone, rows_max); });
}

Task<Result<std::vector<SessionId>>> GroupPort::beat(std::vector<SessionId> sessions) {
  return ask([sessions = std::move(sessions)](ShardPort& port) { return port.beat(sessions); });
}

Task<Result<std::vector<SessionId>>> GroupPort::silent(std::vector<SessionId> open) {
  return ask([open = std::move(open)](ShardPort& port) { return port.silent(open); });
}

Task<Result<Judgement>> GroupPort::judge(std::vector<ChunkId> chunks) {
  return ask([chunks = std::move(chunks)](ShardPort& port) { return port.judge(chunks); });
}

Task<Result<ReferenceRows::Page>> GroupPort::dead(ChunkId from, GcEpoch below, std::uint32_t rows_max) {
  return ask([from, below, rows_max](ShardPort& port) { return port.dead(from, below, rows_max); });
}

}  // namespace kiseki::shard::detail
