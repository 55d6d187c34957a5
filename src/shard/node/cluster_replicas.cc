#include "shard/node/cluster_replicas.h"

#include <algorithm>

#include "shard/wire.h"

namespace kiseki::shard::detail {

std::vector<raft::NodeId> ClusterReplicas::nodes() const {
  auto nodes = remote_.nodes();
  if (std::ranges::find(nodes, local_.node()) == nodes.end()) nodes.push_back(local_.node());
  return nodes;
}

Task<Result<Reply>> ClusterReplicas::call(raft::NodeId node, ShardId shard, Request request, Duration limit) {
  if (node != local_.node()) co_return co_await remote_.call(node, shard, std::move(request), limit);
  if (ShardPort* const port = local_.port(shard)) co_return co_await port->call(std::move(request), limit);
  co_return fail(Errc::not_leader, "no replica of the shard is here");
}

bool CallServer::begin(std::uint64_t caller) {
  const std::lock_guard lock(mutex_);
  auto& count = under_way_[caller];
  if (count >= under_way_max) return false;
  ++count;
  return true;
}

void CallServer::end(std::uint64_t caller) {
  const std::lock_guard lock(mutex_);
  const auto found = under_way_.find(caller);
  if (--found->second == 0) under_way_.erase(found);
}

Task<std::string> CallServer::serve(std::string bytes) {
  auto call = decode_call(as_view(bytes));
  if (!call) co_return encode(Result<Reply>(fail(call.error())));
  ShardPort* const port = local_.port(call->shard);
  if (port == nullptr)
    co_return encode(Result<Reply>(fail(Errc::not_leader, "no replica of the shard is here")));
  if (!begin(call->caller)) co_return encode(Result<Reply>(fail(Errc::busy, "too many calls are under way")));
  auto reply = co_await port->call(std::move(call->request), call->limit);
  end(call->caller);
  // To the one who asks it is not his own end.
  if (!reply && reply.error().code() == Errc::cancelled) reply = fail(Errc::unavailable, "the node stops");
  co_return encode(reply);
}

}  // namespace kiseki::shard::detail
