#include <algorithm>
#include <fmt/format.h>

#include <boost/asio/post.hpp>

#include "base/assert.h"
#include "base/metrics.h"
#include "base/planted.h"
#include "raft/log/writer.h"

// How what waits becomes durable: batches leave one after the other, some are under way at once, and they are
// answered in the order in which they left.

namespace kiseki::raft {

using detail::BatchHeader;
using detail::BatchWriter;
using detail::log_block;
using detail::Run;

namespace {

metrics::Counter flushes("kiseki_log_flushes_total", "Flushes of the write-ahead log.");
metrics::Counter appends("kiseki_log_appends_total", "Appends that the flushes carried.");
metrics::Counter written("kiseki_log_written_bytes_total", "Bytes written to the log, with padding.");
metrics::Gauge live("kiseki_log_live_bytes", "Bytes that recovery would read.");
metrics::Histogram flush_time("kiseki_log_flush_seconds", "One write and flush of the log.");

/// Who was answered by one flush comes again while the other is under way. More would make batches smaller,
/// and the flushes of one file wait for each other on most devices.
constexpr std::size_t flushes_max = 2;

}  // namespace

/// Besides what waits: lazy hard states at the end, and, where no segment is left, a batch that lets those go
/// that nobody needs.
bool Log::Writer::has_work() const {
  if (!queue_.empty()) return true;
  if (failed_) return false;
  if (stopping_) return !lazy_.empty();
  return flights_.empty() && !segments_.has_spare() && segments_.released_below() < first_live_;
}

Task<> Log::Writer::flush_all() {
  while (true) {
    if (!has_work() || flights_.size() >= flushes_max) {
      if (stopping_ && flights_.empty()) co_return;
      co_await next_work();
      continue;
    }
    // Those whom the last flush woke come along. While another flush is under way there is time to look for
    // more.
    co_await yield_turn();
    if (!flights_.empty()) co_await asio::post(executor_, use_task);
    const Batch batch = gather();
    const auto begun = co_await begin(batch);
    if (begun) continue;
    refuse(batch, begun.error());
    publish();
    if (batch.empty()) {
      if (stopping_) co_return;
      co_await next_work();
    }
  }
}

Task<> Log::Writer::next_work() {
  work_.reset();
  co_await work_.wait();
}

Log::Writer::Batch Log::Writer::gather() {
  Batch batch;
  Bytes size = 0;
  while (!queue_.empty()) {
    size += queue_.front()->size();
    if (size > gather_max_ && !batch.empty()) break;
    batch.push_back(queue_.front());
    queue_.pop_front();
  }
  return batch;
}

Bytes Log::Writer::size_of(const Batch& batch) const {
  Bytes sum = lazy_.size() * BatchWriter::size_of(HardState{});
  for (const Waiting* waiting : batch) sum += waiting->size();
  if (offset_ > log_block) return sum;
  for (const auto& [id, group] : groups_) {
    sum += BatchWriter::size_of(group.index.record()) + BatchWriter::size_of(group.index.hard_state);
  }
  return sum;
}

void Log::Writer::write_checkpoint(BatchWriter& writer) const {
  for (const auto& [id, group] : groups_) {
    writer.add(id, group.index.record());
    writer.add(id, group.index.hard_state);
  }
}

/// The active segment is one that holds the batch. The end of the last segment is not for appends.
Task<Result<>> Log::Writer::make_room(const Batch& batch) {
  const Bytes kept = std::ranges::any_of(batch, &Waiting::is_append) && !segments_.has_spare() ? reserve_ : 0;
  const auto end = [&] { return offset_ + round_up(BatchHeader::encoded_size + size_of(batch), log_block); };
  if (end() + kept <= segments_.active().size) co_return Result<>{};
  // A segment begins with what all batches before it come to.
  while (!flights_.empty()) co_await next_work();
  if (failed_) co_return fail(*failed_);
  KISEKI_CO_TRY(co_await segments_.advance());
  offset_ = log_block;
  KISEKI_ASSERT(end() <= segments_.active().size);
  co_return Result<>{};
}

std::vector<Run> Log::Writer::write_records(BatchWriter& writer, const Batch& batch) {
  std::vector<Run> runs;
  runs.reserve(batch.size());
  for (const GroupId id : lazy_) writer.add(id, groups_.at(id).index.hard_state);
  lazy_.clear();
  for (const Waiting* waiting : batch) {
    if (waiting->base) writer.add(waiting->group, *waiting->base);
    if (waiting->hard_state) writer.add(waiting->group, *waiting->hard_state);
    // At once: what is lazy from now on follows it.
    if (waiting->hard_state && !waiting->base)
      groups_.at(waiting->group).index.hard_state = *waiting->hard_state;
    if (waiting->erased) writer.add_erased(waiting->group);
    Run run{.first = 0,
            .last = 0,
            .segment = segments_.active().sequence,
            .offset = offset_ + writer.position(),
            .size = 0};
    for (const Entry& entry : waiting->entries) writer.add(waiting->group, entry);
    if (!waiting->entries.empty()) {
      run.first = waiting->entries.front().index;
      run.last = waiting->entries.back().index;
      run.size = offset_ + writer.position() - run.offset;
    }
    runs.push_back(run);
  }
  return runs;
}

/// Sends the batch on its way.
Task<Result<>> Log::Writer::begin(const Batch& batch) {
  if (failed_) co_return fail(*failed_);
  KISEKI_CO_TRY(co_await make_room(batch));
  BatchWriter writer(segments_.active().sequence, size_of(batch));
  if (offset_ == log_block) write_checkpoint(writer);
  auto flight = std::make_unique<Flight>();
  flight->runs = write_records(writer, batch);
  flight->batch = batch;
  flight->number = next_batch_++;
  flight->offset = offset_;
  flight->first_live = first_live();
  const bool is_sure = !KISEKI_PLANTED("a later batch proves one under way");
  const std::uint64_t flushed =
      (flights_.empty() || !is_sure ? flight->number : flights_.front()->number) - 1;
  flight->bytes =
      writer.finish({.number = flight->number, .flushed = flushed, .first_live = flight->first_live});
  offset_ += flight->bytes.size();
  flights_.push_back(std::move(flight));
  scope_.spawn(carry(*flights_.back()));
  co_return Result<>{};
}

/// Nothing is acknowledged before all that left earlier is durable, and nothing after a failure: what reached
/// the disk is not known any more, and a second flush would not say.
Task<> Log::Writer::carry(Flight& flight) {
  auto result = co_await flush(flight);
  if (!result && !failed_) {
    failed_ = Error(Errc::io_error,
                    fmt::format("log segment {}: {}", segments_.active().name(), result.error().to_string()));
  }
  flight.has_ended = true;
  while (const auto next = take_ended()) failed_ ? refuse(next->batch, *failed_) : settle(*next);
  publish();
  work_.set();
}

/// The first one, once it has ended.
std::unique_ptr<Log::Writer::Flight> Log::Writer::take_ended() {
  const auto has_ended = [](const auto& flight) { return flight->has_ended; };
  auto next = flights_.begin();
  if (KISEKI_PLANTED("acknowledged before an earlier flush"))
    next = std::ranges::find_if(flights_, has_ended);
  if (next == flights_.end() || !has_ended(*next)) return nullptr;
  auto flight = std::move(*next);
  flights_.erase(next);
  return flight;
}

Task<Result<>> Log::Writer::flush(const Flight& flight) {
  const BootTime begun = clock_.now();
  disk::File& file = *segments_.active().file;
  auto result = co_await file.write_and_sync(flight.offset, flight.bytes.view());
  if (!result && KISEKI_PLANTED("failed flush tried again")) result = co_await file.sync();
  flush_time.observe(clock_.now() - begun);
  flushes.add();
  written.add(flight.bytes.size());
  co_return result;
}

void Log::Writer::settle(const Flight& flight) {
  segments_.release_below(flight.first_live);
  appends.add(flight.batch.size());
  for (std::size_t i = 0; i < flight.batch.size(); ++i) {
    Waiting& waiting = *flight.batch[i];
    if (waiting.erased) {
      groups_.erase(waiting.group);
      lazy_.erase(waiting.group);
      waiting.done.set({});
      continue;
    }
    Group& group = groups_[waiting.group];
    creating_.erase(waiting.group);
    if (waiting.base) {
      group.index.rebase(*waiting.base);
      const Index last = waiting.base->fresh == detail::Fresh::yes ? 0 : group.queued_last;
      group.queued_last = std::max(last, waiting.base->meta.index);
      if (waiting.hard_state) group.index.hard_state = *waiting.hard_state;
    }
    if (!waiting.entries.empty()) group.index.append(flight.runs[i]);
    waiting.done.set({});
  }
}

/// With all that wait behind it: what they append follows what was refused. Where space alone is lacking what
/// makes room is tried once more without them.
void Log::Writer::refuse(Batch batch, const Error& error) {
  const bool spare_others = error.code() == Errc::no_space && std::ranges::any_of(batch, &Waiting::is_append);
  batch.insert(batch.end(), queue_.begin(), queue_.end());
  queue_.clear();
  for (Waiting* waiting : batch) {
    if (spare_others && !waiting->is_append()) {
      queue_.push_back(waiting);
      continue;
    }
    if (const auto group = groups_.find(waiting->group); group != groups_.end()) {
      group->second.queued_last = group->second.index.last();
      if (waiting->erased) group->second.erasing = false;
    }
    creating_.erase(waiting->group);
    waiting->done.set(fail(error));
  }
}

std::uint64_t Log::Writer::first_live() {
  std::uint64_t lowest = segments_.active().sequence;
  for (const auto& [id, group] : groups_)
    lowest = std::min(lowest, group.index.first_segment().value_or(lowest));
  first_live_ = lowest;
  return lowest;
}

void Log::Writer::publish() {
  const Bytes bytes = segments_.size_from(first_live()) + offset_;
  live_bytes_.store(bytes, std::memory_order_relaxed);
  live.set(static_cast<std::int64_t>(bytes));
  nearly_full_.store(segments_.active().size - offset_ < 2 * reserve_, std::memory_order_relaxed);
}

}  // namespace kiseki::raft
