#include "shard/client/replica_network.h"

#include "shard/wire.h"

namespace kiseki::shard::detail {

Task<Result<Reply>> RemoteReplicas::call(raft::NodeId node, ShardId shard, Request request, Duration limit) {
  const Call call{.caller = caller_, .shard = shard, .limit = limit, .request = std::move(request)};
  const auto bytes = co_await channel_.call(node, encode(call), limit);
  if (!bytes) co_return fail(bytes.error());
  auto reply = decode_reply(as_view(*bytes));
  if (reply && !answers(*reply, call.request)) {
    co_return fail(Errc::corrupted, "a node answers what it was not asked");
  }
  co_return reply;
}

}  // namespace kiseki::shard::detail
