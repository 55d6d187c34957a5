#include "shard/node/group_port.h"

#include <algorithm>
#include <fmt/format.h>

#include "shard/client/session.h"

namespace kiseki::shard::detail {

GroupPort::GroupPort(ShardId shard, const LocalReplicas& replicas, Peers& peers)
    : shard_(shard), replicas_(replicas), peers_(peers), favourite_(replicas.node()) {}

std::vector<raft::NodeId> GroupPort::order() const {
  auto nodes = peers_.nodes();
  if (std::ranges::find(nodes, replicas_.node()) == nodes.end()) nodes.push_back(replicas_.node());
  std::ranges::sort(nodes);
  const auto first = std::ranges::lower_bound(nodes, favourite_.load());
  std::ranges::rotate(nodes, first);
  return nodes;
}

ShardPort* GroupPort::port_of(raft::NodeId node) const {
  return node == replicas_.node() ? replicas_.port(shard_) : &peers_.port(node, shard_);
}

Task<Result<Reply>> GroupPort::call(Request request) {
  for (const raft::NodeId node : order()) {
    ShardPort* const port = port_of(node);
    if (port == nullptr) continue;
    auto answer = co_await port->call(request);
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

}  // namespace kiseki::shard::detail
