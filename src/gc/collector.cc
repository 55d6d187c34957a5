#include "gc/collector.h"

#include <algorithm>

#include "base/logging.h"
#include "base/metrics.h"
#include "base/planted.h"
#include "gc/detail/collection_row.h"

namespace kiseki::gc {

using detail::CollectionRow;
using shard::ChunkReferences;

namespace {

/// Chunks in one question to every shard.
constexpr std::size_t question_max = 256;

metrics::Counter rounds_total("kiseki_gc_rounds_total", "Garbage rounds that ended.");
metrics::Counter stalls_total("kiseki_gc_stalls_total", "Garbage rounds that could not end.");
metrics::Counter candidates_total("kiseki_gc_candidates_total", "Chunks that garbage rounds asked about.");
metrics::Counter freed_total("kiseki_gc_freed_bytes_total", "Bytes that garbage rounds gave back.");
metrics::Gauge epoch_now("kiseki_gc_epoch", "The garbage epoch.");
metrics::Gauge age_now("kiseki_gc_round_age_seconds", "Since a garbage round has ended.");
metrics::Gauge overdue_now("kiseki_gc_overdue", "1: no garbage round has ended for too long.");
metrics::Gauge pending_now("kiseki_gc_pending_bytes",
                           "Bytes found without references and not yet given back.");

/// Whether the slots of all answers together are the whole key space.
class Coverage {
 public:
  void add(ChunkReferences::Slots slots) { slots_.push_back(slots); }
  bool is_whole() {
    if (KISEKI_PLANTED("6.6 answers need not cover the key space")) return true;
    std::ranges::sort(slots_, {}, &ChunkReferences::Slots::first);
    std::uint32_t next = 0;
    for (const auto& slots : slots_) {
      if (slots.first > next) return false;
      next = std::max<std::uint32_t>(next, slots.last + 1U);
    }
    return next == 65'536;
  }

 private:
  std::vector<ChunkReferences::Slots> slots_;
};

std::unexpected<Error> not_whole() {
  return fail(Errc::unavailable, "the answers of the shards do not cover the key space");
}

}  // namespace

Collector::Collector(Options options, Services services)
    : options_(options), services_(std::move(services)) {}
Collector::~Collector() = default;

Task<Result<CollectionRow>> Collector::read() const {
  shard::ReadRequest request;
  request.gets.push_back({.key = detail::collection_key()});
  const auto reply = co_await services_.client->read(std::move(request));
  if (!reply) co_return fail(reply.error());
  const auto& record = reply->gets.front().record;
  if (!record) co_return CollectionRow{};
  co_return CollectionRow::decode(*record);
}

Task<Result<>> Collector::write(CollectionRow& row) const {
  shard::Transaction transaction;
  const auto type = row.version.is_none() ? shard::Assert::Type::absent : shard::Assert::Type::version;
  transaction.require(type, detail::collection_key(), row.version);
  transaction.put(detail::collection_key(), row.record());
  const auto outcome = co_await services_.client->commit(std::move(transaction));
  if (!outcome) co_return fail(outcome.error());
  if (!outcome->committed()) co_return fail(Errc::conflict, "another collector is at work");
  row.version = outcome->stamp;
  co_return Result<>{};
}

Task<Result<>> Collector::teach_devices(GcEpoch epoch) const {
  for (auto* device : services_.devices) {
    KISEKI_CO_TRY(co_await on(device->executor(), device->raise_epoch(epoch)));
  }
  co_return Result<>{};
}

/// Every slot has its new epoch before any shard is asked: what moves between two questions leaves a row that
/// counts in this round.
Task<Result<>> Collector::raise_shards(GcEpoch epoch) const {
  Coverage raised;
  for (const auto shard : services_.references.shards()) {
    const auto slots = co_await services_.references.raise(shard, epoch);
    if (!slots) co_return fail(slots.error());
    raised.add(*slots);
  }
  if (!raised.is_whole()) co_return not_whole();
  co_return Result<>{};
}

Task<Result<>> Collector::start() {
  const auto row = co_await read();
  if (!row) co_return fail(row.error());
  status_.epoch = row->epoch;
  co_return co_await teach_devices(row->epoch);
}

Task<> Collector::run(Scope& scope) {
  scope_ = &scope;
  ended_ = services_.clock->now();
  scope.spawn(watch(scope));
  while (co_await scope.sleep(*services_.clock, options_.interval)) {
    const auto done = co_await round();
    if (!done) log::debug("gc", "the round stalled: {}", done.error().to_string());
  }
  scope_ = nullptr;
}

Task<> Collector::watch(Scope& scope) {
  while (co_await scope.sleep(*services_.clock, options_.alarm_after / 10)) look_at_age();
}

void Collector::look_at_age() {
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(services_.clock->now() - ended_);
  const bool is_overdue = age >= options_.alarm_after;
  if (is_overdue && !status_.is_overdue) {
    log::warning("gc", "no round has ended for {} s, so no space is given back: {}", age.count(),
                 status_.stalled.empty() ? "one is under way" : status_.stalled);
  }
  if (!is_overdue && status_.is_overdue) log::info("gc", "rounds end again");
  status_.is_overdue = is_overdue;
  age_now.set(age.count());
  overdue_now.set(is_overdue ? 1 : 0);
}

Task<Result<>> Collector::round() {
  auto row = co_await read();
  Result<> done = row ? Result<>{} : fail(row.error());
  const GcEpoch below = row ? row->epoch : GcEpoch{};
  if (done) {
    row->epoch = GcEpoch(below.value() + 1);
    done = co_await write(*row);
  }
  if (done) status_.epoch = row->epoch;
  if (done) done = co_await teach_devices(row->epoch);
  if (done && !KISEKI_PLANTED("6.6 shards are asked before all have the new epoch")) {
    done = co_await raise_shards(below);
  }
  const bool is_whole = rounds_ % options_.rounds_whole == 0;
  if (done) done = co_await collect(is_whole ? GcEpoch{} : row->asked, below);
  if (done) {
    row->asked = below;
    done = co_await write(*row);
  }
  status_.stalled = done ? std::string() : done.error().to_string();
  epoch_now.set(static_cast<std::int64_t>(status_.epoch.value()));
  (done ? rounds_total : stalls_total).add();
  if (!done) co_return done;
  ended_ = services_.clock->now();
  ++rounds_;
  ++status_.rounds;
  co_return Result<>{};
}

/// What lost a reference, wherever it was put, and what was put since the rounds before and may never have
/// had one.
Task<Result<>> Collector::collect(GcEpoch first, GcEpoch below) {
  status_.candidates = 0;
  status_.pending = 0;
  for (auto* device : services_.devices) KISEKI_CO_TRY(co_await collect_aged(*device, first, below));
  for (const auto shard : services_.references.shards()) KISEKI_CO_TRY(co_await collect_lost(shard, below));
  co_return Result<>{};
}

Task<Result<>> Collector::collect_aged(chunk::DeviceStore& device, GcEpoch first, GcEpoch below) {
  std::optional<ChunkId> from = ChunkId{};
  while (from) {
    auto page = co_await on(device.executor(), device.aged(*from, first, below));
    if (!page) co_return fail(page.error());
    from = page->next;
    KISEKI_CO_TRY(co_await collect_page(device, std::move(page->chunks), below));
  }
  co_return Result<>{};
}

Task<Result<>> Collector::collect_lost(ShardId shard, GcEpoch below) {
  std::optional<ChunkId> from = ChunkId{};
  while (from) {
    auto lost = co_await services_.references.lost(shard, *from, below);
    if (!lost) co_return fail(lost.error());
    from = lost->next;
    if (lost->chunks.empty()) continue;
    for (auto* device : services_.devices) {
      auto aged = co_await on(device->executor(), device->aged_of(lost->chunks, below));
      if (!aged) co_return fail(aged.error());
      KISEKI_CO_TRY(co_await collect_page(*device, *std::move(aged), below));
    }
    // What was put since is among the new chunks of a later round.
    KISEKI_CO_TRY(co_await services_.references.forget(shard, std::move(lost->chunks), below));
  }
  co_return Result<>{};
}

Task<Result<>> Collector::collect_page(chunk::DeviceStore& device, std::vector<chunk::DeviceStore::Aged> page,
                                       GcEpoch below) {
  for (std::size_t at = 0; at < page.size(); at += question_max) {
    const std::size_t end = std::min(page.size(), at + question_max);
    std::vector<ChunkId> chunks;
    for (std::size_t i = at; i < end; ++i) chunks.push_back(page[i].id);
    status_.candidates += chunks.size();
    candidates_total.add(chunks.size());
    if (scope_ != nullptr && scope_->stopping()) co_return fail(Errc::cancelled, "stopping");
    const auto counts = co_await counted(chunks, below);
    if (!counts) co_return fail(counts.error());
    for (std::size_t i = at; i < end; ++i) {
      if ((*counts)[i - at]) continue;
      status_.pending += page[i].stored;
      pending_now.set(static_cast<std::int64_t>(status_.pending));
      const auto erased = co_await on(device.executor(), device.erase_if_older(page[i].id, below));
      if (!erased) co_return fail(erased.error());
      status_.pending -= page[i].stored;
      pending_now.set(static_cast<std::int64_t>(status_.pending));
      if (!*erased) continue;
      ++status_.freed_chunks;
      status_.freed += page[i].stored;
      freed_total.add(page[i].stored);
    }
  }
  co_return Result<>{};
}

/// Each shard answers for itself at one moment; together they must speak for every slot, in this round.
Task<Result<std::vector<bool>>> Collector::counted(const std::vector<ChunkId>& chunks, GcEpoch round) const {
  std::vector<bool> counts(chunks.size(), false);
  Coverage asked;
  for (const auto shard : services_.references.shards()) {
    const auto judgement = co_await services_.references.judge(shard, chunks);
    if (!judgement) co_return fail(judgement.error());
    if (judgement->epoch != round && !KISEKI_PLANTED("6.6 a shard of another round is believed")) {
      co_return fail(Errc::stale, "a shard is in another round");
    }
    if (!judgement->is_known && !KISEKI_PLANTED("6.6 a shard built from a snapshot is believed")) {
      co_return fail(Errc::unavailable, "a shard was built in this round");
    }
    asked.add(judgement->slots);
    for (std::size_t i = 0; i < chunks.size(); ++i) counts[i] = counts[i] || judgement->counted[i];
  }
  if (!asked.is_whole()) co_return not_whole();
  co_return counts;
}

}  // namespace kiseki::gc
