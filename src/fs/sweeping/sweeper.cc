#include "fs/sweeping/sweeper.h"

#include "base/logging.h"
#include "fs/sweeping/sweep_rows.h"

namespace kiseki::fs::detail {

namespace {

constexpr std::uint32_t rows_a_turn = 256;
constexpr Duration pause = std::chrono::seconds(1);
/// Rows are left alone for so long: what empties a directory is often about to fill it again.
constexpr std::uint64_t rest_ms = 1000;
constexpr std::uint64_t tombstones_ms = 24ull * 3600 * 1000;
/// Rounds between looks from the first row on, at what failed and at tombstones, and at pending rows.
constexpr std::uint64_t rounds_whole = 600, rounds_pending = 10;

std::uint64_t milliseconds(Stamp stamp) { return stamp.value() >> 16; }

}  // namespace

Task<> Sweeper::run(Scope& scope) {
  do {
    note(co_await round(Due::by_age));
  } while (co_await scope.sleep(*tree_.services().clock, pause));
}

Task<Result<>> Sweeper::sweep_once() {
  cursors_.clear();
  rounds_ = 0;
  co_return co_await round(Due::now);
}

void Sweeper::note(const Result<>& result) {
  if (result || result.error().code() == Errc::cancelled) return;
  log::warning("fs", "sweep: {}", result.error().to_string());
}

/// What fails is left for a later round; the first error is told at the end.
Task<Result<>> Sweeper::round(Due due) {
  Result<> all;
  const auto keep = [&all](Result<> one) {
    if (!one && all) all = std::move(one);
  };
  const bool whole = rounds_ % rounds_whole == 0;
  for (const auto shard : tree_.services().client->shards()) {
    Cursor& cursor = cursors_[shard];
    if (whole) cursor = {};
    if (rounds_ % rounds_pending == 0) keep(co_await follow_abandoned(shard));
    keep(co_await follow(shard, shard::Kind::feed, cursor.feed, due));
    keep(co_await follow(shard, shard::Kind::garbage, cursor.garbage, due));
  }
  ++rounds_;
  co_return all;
}

Task<Result<>> Sweeper::follow(ShardId shard, shard::Kind kind, Stamp& after, Due due) {
  Result<> all;
  const std::uint64_t now = tree_.services().client->time_ms();
  while (true) {
    const auto rows = co_await tree_.services().client->scan(shard, kind, after, rows_a_turn);
    if (!rows) co_return fail(rows.error());
    for (const auto& row : *rows) {
      if (due == Due::by_age && milliseconds(row.key.stamp) + rest_ms > now) co_return all;
      auto swept = kind == shard::Kind::feed
                       ? co_await sweep_feed(tree_, row, due == Due::now ? 0 : tombstones_ms)
                       : co_await sweep_garbage(tree_, row);
      if (!swept && all) all = std::move(swept);
      after = row.key.stamp;
    }
    if (rows->size() < rows_a_turn) co_return all;
  }
}

Task<Result<>> Sweeper::follow_abandoned(ShardId shard) {
  const auto rows = co_await tree_.services().client->abandoned(shard, rows_a_turn);
  if (!rows) co_return fail(rows.error());
  Result<> all;
  for (const auto& row : *rows) {
    auto swept = row.record.type == shard::EntryType::directory ? co_await sweep_chain(tree_, row)
                                                                : co_await sweep_pending(tree_, row);
    if (!swept && all) all = std::move(swept);
  }
  co_return all;
}

}  // namespace kiseki::fs::detail
