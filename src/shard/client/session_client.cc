#include "shard/client/session_client.h"

#include "shard/client.h"

namespace kiseki::shard::detail {

Task<Result<ReadReply>> SessionClient::read(ReadRequest request) { return session_.read(std::move(request)); }

Task<Result<Outcome>> SessionClient::commit(Transaction transaction) {
  return session_.commit(std::move(transaction));
}

Task<Result<std::vector<Counters>>> SessionClient::counters(std::vector<LeafAddress> leaves) {
  return session_.counters(std::move(leaves));
}

Task<Result<>> SessionClient::configure(NamespaceId ns, std::uint32_t epoch, NamespaceState state) {
  return session_.configure(ns, epoch, state);
}

Task<Result<std::vector<Row>>> SessionClient::scan(ShardId shard, Kind kind, Stamp after,
                                                   std::uint32_t rows_max) {
  return session_.scan(shard, kind, after, rows_max);
}

Task<Result<std::vector<Row>>> SessionClient::abandoned(ShardId shard, std::uint32_t rows_max) {
  return session_.abandoned(shard, rows_max);
}

std::vector<ShardId> SessionClient::shards() const {
  std::vector<ShardId> shards;
  for (const auto& route : session_.routes().all()) shards.push_back(route.id);
  return shards;
}

std::uint64_t SessionClient::time_ms() const {
  const auto since_epoch = session_.clock().wall().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count());
}

}  // namespace kiseki::shard::detail
