#include "gc/collector.h"

#include <algorithm>

#include "base/logging.h"
#include "base/metrics.h"
#include "base/planted.h"
#include "gc/collection_row.h"
#include "shard/coverage.h"

namespace kiseki::gc {

using detail::CollectionRow;
using shard::ChunkReferences;

namespace {

/// Chunks in one question to every shard.
constexpr std::size_t question_max = 256;
/// Fragments in one call to a device.
constexpr std::size_t erased_together_max = 1024;

metrics::Counter rounds_total("kiseki_gc_rounds_total", "Garbage rounds that ended.");
metrics::Counter stalls_total("kiseki_gc_stalls_total", "Garbage rounds that could not end.");
metrics::Counter candidates_total("kiseki_gc_candidates_total", "Chunks that garbage rounds asked about.");
metrics::Counter freed_total("kiseki_gc_freed_bytes_total", "Bytes that garbage rounds gave back.");
metrics::Gauge epoch_now("kiseki_gc_epoch", "The garbage epoch.");
metrics::Gauge age_now("kiseki_gc_round_age_seconds", "Since a garbage round has ended.");
metrics::Gauge overdue_now("kiseki_gc_overdue", "1: no garbage round has ended for too long.");
metrics::Gauge pending_now("kiseki_gc_pending_bytes",
                           "Bytes found without references and not yet given back.");

bool is_whole(const shard::Coverage& answers) {
  return answers.is_whole() || KISEKI_PLANTED("6.6 answers need not cover the key space");
}

/// How far the walk over a device has come; nothing: to its end.
struct Position {
  std::size_t device = 0;
  std::optional<chunk::FragmentKey> next;
};

Position* the_one_behind(std::vector<Position>& positions) {
  Position* behind = nullptr;
  for (Position& one : positions) {
    if (one.next && (behind == nullptr || *one.next < *behind->next)) behind = &one;
  }
  return behind;
}

std::unexpected<Error> not_whole() {
  return fail(Errc::unavailable, "the answers of the shards do not cover the key space");
}

}  // namespace

Collector::Collector(Options options, Clock& clock, shard::Client& client, shard::ChunkReferences references,
                     std::vector<chunk::Device*> devices)
    : options_(options),
      clock_(clock),
      client_(client),
      references_(references),
      devices_(std::move(devices)) {}
Collector::~Collector() = default;

Task<Result<CollectionRow>> Collector::read() const {
  shard::ReadRequest request;
  request.gets.push_back({.key = detail::collection_key()});
  const auto reply = co_await client_.read(std::move(request));
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
  const auto outcome = co_await client_.commit(std::move(transaction));
  if (!outcome) co_return fail(outcome.error());
  if (!outcome->committed()) co_return fail(Errc::conflict, "another collector is at work");
  row.version = outcome->stamp;
  co_return Result<>{};
}

Task<Result<>> Collector::teach_devices(GcEpoch epoch) const {
  for (auto* device : devices_) KISEKI_CO_TRY(co_await device->raise_epoch(epoch));
  co_return Result<>{};
}

/// Every slot has its new epoch before any shard is asked: what moves between two questions leaves a row that
/// counts in this round.
Task<Result<>> Collector::raise_shards(GcEpoch epoch) const {
  shard::Coverage raised;
  for (const auto shard : references_.shards()) {
    const auto slots = co_await references_.raise(shard, epoch);
    if (!slots) co_return fail(slots.error());
    raised.add(*slots);
  }
  if (!is_whole(raised)) co_return not_whole();
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
  ended_ = clock_.now();
  scope.spawn(watch(scope));
  while (co_await scope.sleep(clock_, options_.interval)) {
    const auto done = co_await round();
    if (!done) log::debug("gc", "the round stalled: {}", done.error().to_string());
  }
  scope_ = nullptr;
}

Task<> Collector::watch(Scope& scope) {
  while (co_await scope.sleep(clock_, options_.alarm_after / 10)) look_at_age();
}

void Collector::look_at_age() {
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(clock_.now() - ended_);
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
    if (KISEKI_PLANTED("6.6 a round that stalls counts as one that asked")) row->asked = below;
    done = co_await write(*row);
  }
  if (done) status_.epoch = row->epoch;
  if (done) done = co_await teach_devices(row->epoch);
  if (done && !KISEKI_PLANTED("6.6 shards are asked before all have the new epoch")) {
    done = co_await raise_shards(below);
  }
  const bool is_whole = rounds_ % options_.rounds_whole == 0;
  if (done) done = co_await collect({is_whole ? GcEpoch{} : row->asked, below});
  if (done) {
    row->asked = below;
    done = co_await write(*row);
  }
  status_.stalled = done ? std::string() : done.error().to_string();
  epoch_now.set(static_cast<std::int64_t>(status_.epoch.value()));
  (done ? rounds_total : stalls_total).add();
  if (!done) co_return done;
  ended_ = clock_.now();
  ++rounds_;
  ++status_.rounds;
  co_return Result<>{};
}

/// What lost a reference, wherever it was put, and what was put since the rounds before and may never have
/// had one.
Task<Result<>> Collector::collect(chunk::EpochRange last_puts) {
  status_.candidates = 0;
  status_.pending = 0;
  KISEKI_CO_TRY(co_await collect_aged(last_puts));
  for (const auto shard : references_.shards()) KISEKI_CO_TRY(co_await collect_lost(shard, last_puts.below));
  co_return Result<>{};
}

/// All devices side by side in order of chunks, so that a chunk is asked about once.
Task<Result<>> Collector::collect_aged(chunk::EpochRange last_puts) {
  std::vector<Position> positions;
  for (std::size_t i = 0; i < devices_.size(); ++i) positions.push_back({i, chunk::FragmentKey{}});
  std::vector<Candidate> found;
  while (Position* behind = the_one_behind(positions)) {
    auto page = co_await devices_[behind->device]->aged(*behind->next, last_puts);
    if (!page) co_return fail(page.error());
    behind->next = page->next;
    for (auto& fragment : page->fragments) found.push_back({behind->device, fragment});
    // Of what lies before the next look of every device nothing more is to come.
    const Position* next = the_one_behind(positions);
    const auto known = std::ranges::partition(found, [next](const Candidate& candidate) {
      return next != nullptr && candidate.fragment.key.chunk >= next->next->chunk;
    });
    std::vector<Candidate> ready(std::make_move_iterator(known.begin()),
                                 std::make_move_iterator(known.end()));
    found.erase(known.begin(), known.end());
    KISEKI_CO_TRY(co_await judge(std::move(ready), last_puts.below));
  }
  co_return Result<>{};
}

Task<Result<>> Collector::collect_lost(ShardId shard, GcEpoch below) {
  if (KISEKI_PLANTED("6.6 nobody asks about what lost a reference")) co_return Result<>{};
  std::optional<ChunkName> from = ChunkName{};
  while (from) {
    auto lost = co_await references_.lost(shard, *from, below);
    if (!lost) co_return fail(lost.error());
    from = lost->next;
    if (lost->chunks.empty()) continue;
    if (KISEKI_PLANTED("6.6 what lost a reference is forgotten before it is judged")) {
      KISEKI_CO_TRY(co_await references_.forget(shard, lost->chunks, below));
    }
    std::vector<Candidate> found;
    for (std::size_t i = 0; i < devices_.size(); ++i) {
      const auto aged = co_await devices_[i]->aged_of(lost->chunks, below);
      if (!aged) co_return fail(aged.error());
      for (const auto& fragment : *aged) found.push_back({i, fragment});
    }
    KISEKI_CO_TRY(co_await judge(std::move(found), below));
    // What was put since is among the new chunks of a later round.
    KISEKI_CO_TRY(co_await references_.forget(shard, std::move(lost->chunks), below));
  }
  co_return Result<>{};
}

/// Deletes those of which no shard counts the chunk.
Task<Result<>> Collector::judge(std::vector<Candidate> candidates, GcEpoch below) {
  std::ranges::sort(candidates, {}, [](const Candidate& one) { return one.fragment.key; });
  std::vector<std::vector<chunk::AgedFragment>> garbage(devices_.size());
  for (std::size_t at = 0; at < candidates.size();) {
    std::vector<ChunkName> chunks;
    std::size_t end = at;
    for (; end < candidates.size(); ++end) {
      const ChunkName& chunk = candidates[end].fragment.key.chunk;
      if (!chunks.empty() && chunks.back() == chunk) continue;
      if (chunks.size() == question_max) break;
      chunks.push_back(chunk);
    }
    const auto counts = co_await counted(chunks, below);
    if (!counts) co_return fail(counts.error());
    for (std::size_t place = 0; at < end; ++at) {
      while (chunks[place] != candidates[at].fragment.key.chunk) ++place;
      if (!(*counts)[place]) garbage[candidates[at].device].push_back(candidates[at].fragment);
    }
  }
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    KISEKI_CO_TRY(co_await erase(*devices_[i], std::move(garbage[i]), below));
  }
  co_return Result<>{};
}

Task<Result<>> Collector::erase(chunk::Device& device, std::vector<chunk::AgedFragment> fragments,
                                GcEpoch below) {
  for (std::size_t at = 0; at < fragments.size(); at += erased_together_max) {
    const auto some = std::span(fragments).subspan(at, std::min(fragments.size() - at, erased_together_max));
    std::vector<chunk::FragmentKey> keys;
    Bytes stored = 0;
    for (const auto& fragment : some) {
      keys.push_back(fragment.key);
      stored += fragment.stored;
    }
    add_pending(stored, 0);
    const auto erased = co_await device.erase_aged(std::move(keys), below);
    if (!erased) co_return fail(erased.error());
    add_pending(0, stored);
    for (std::size_t i = 0; i < some.size(); ++i) {
      if (!(*erased)[i]) continue;
      ++status_.freed_chunks;
      status_.freed += some[i].stored;
      freed_total.add(some[i].stored);
    }
  }
  co_return Result<>{};
}

void Collector::add_pending(Bytes found, Bytes erased) {
  status_.pending += found - erased;
  pending_now.set(static_cast<std::int64_t>(status_.pending));
}

/// Each shard answers for itself at one moment; together they must speak for every slot, in this round.
Task<Result<std::vector<bool>>> Collector::counted(std::vector<ChunkName> chunks, GcEpoch round) {
  status_.candidates += chunks.size();
  candidates_total.add(chunks.size());
  if (scope_ != nullptr && scope_->stopping()) co_return fail(Errc::cancelled, "stopping");
  std::vector<bool> counts(chunks.size(), false);
  shard::Coverage asked;
  for (const auto shard : references_.shards()) {
    const auto judgement = co_await references_.judge(shard, chunks);
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
  if (!is_whole(asked)) co_return not_whole();
  co_return counts;
}

}  // namespace kiseki::gc
