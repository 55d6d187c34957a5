#include "shard/chunk_references.h"

#include "shard/client/routes.h"

namespace kiseki::shard {

namespace {

constexpr std::uint32_t rows_a_page = 256;

std::unexpected<Error> no_such_shard() { return fail(Errc::not_found, "garbage: no such shard"); }

}  // namespace

using namespace detail;

std::vector<ShardId> ChunkReferences::shards() const {
  std::vector<ShardId> shards;
  for (const auto& route : routes_.all()) shards.push_back(route.id);
  return shards;
}

Task<Result<SlotRange>> ChunkReferences::raise(ShardId shard, GcEpoch epoch) const {
  const auto route = routes_.find(shard);
  if (!route) co_return no_such_shard();
  auto answer = co_await route->port->ask(ProposeRequest({.stamp = {}, .body = RaiseEpoch{.epoch = epoch}}));
  if (!answer) co_return fail(std::move(answer).error());
  if (answer->type != Answer::Type::decided) co_return fail(Errc::unavailable, "garbage: the shard is split");
  co_return answer->range;
}

Task<Result<ChunkReferences::Judgement>> ChunkReferences::judge(ShardId shard,
                                                                std::vector<ChunkName> chunks) const {
  const auto route = routes_.find(shard);
  if (!route) co_return no_such_shard();
  auto reply = co_await route->port->ask(JudgeRequest{std::move(chunks)});
  if (!reply) co_return fail(std::move(reply).error());
  co_return Judgement{.slots = reply->range,
                      .epoch = reply->epoch,
                      .is_known = reply->is_known,
                      .counted = std::move(reply->counted)};
}

Task<Result<ChunkReferences::Lost>> ChunkReferences::lost(ShardId shard, ChunkName from,
                                                          GcEpoch below) const {
  const auto route = routes_.find(shard);
  if (!route) co_return no_such_shard();
  const auto page = co_await route->port->ask(DeadRequest{from, below, rows_a_page});
  if (!page) co_return fail(page.error());
  Lost lost{.chunks = {}, .next = page->next};
  for (const auto& row : page->rows) {
    if (lost.chunks.empty() || lost.chunks.back() != row.chunk) lost.chunks.push_back(row.chunk);
  }
  co_return lost;
}

Task<Result<>> ChunkReferences::forget(ShardId shard, std::vector<ChunkName> chunks, GcEpoch below) const {
  const auto route = routes_.find(shard);
  if (!route) co_return no_such_shard();
  auto answer = co_await route->port->ask(
      ProposeRequest({.stamp = {}, .body = Trim{.below = below, .chunks = std::move(chunks)}}));
  if (!answer) co_return fail(std::move(answer).error());
  co_return Result<>{};
}

}  // namespace kiseki::shard
