#include "raft/detail/log_writer.h"

#include <algorithm>
#include <fmt/format.h>

#include <boost/asio/post.hpp>

#include "base/assert.h"
#include "base/metrics.h"
#include "base/planted.h"

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

constexpr Bytes gather_limit = 4_MiB;
constexpr Bytes reserve_limit = 1_MiB;

Error no_group(GroupId group) { return Error(Errc::not_found, fmt::format("log: group {}", group.value())); }

std::optional<Entry> next_entry(detail::RecordReader& reader, GroupId group) {
  auto record = reader.next();
  if (!record || !*record || (*record)->type != detail::RecordType::entry) return std::nullopt;
  auto entry = detail::parse_entry((*record)->body);
  if (!entry || (*record)->group != group) return std::nullopt;
  return std::move(*entry);
}

/// What is ready on this loop runs first.
Task<> yield(Executor executor) { co_await asio::post(executor, use_task); }

}  // namespace

Log::Writer::Writer(disk::Disk& disk, Executor executor, Clock& clock, const Options& options)
    : executor_(executor),
      clock_(clock),
      append_max_(options.segment_size / 4),
      gather_max_(std::min(gather_limit, options.segment_size / 4)),
      reserve_(std::min(reserve_limit, options.segment_size / 4)),
      scope_(executor),
      segments_(disk, executor, clock,
                {options.directory, options.segment_size, std::max<std::size_t>(options.spare_segments, 1)}) {
}

Bytes Log::Writer::Waiting::size() const {
  Bytes sum = 0;
  if (base) sum += BatchWriter::size_of(base->meta);
  if (hard_state) sum += BatchWriter::size_of(*hard_state);
  if (erased) sum += BatchWriter::size_of_erased();
  for (const Entry& entry : entries) sum += BatchWriter::size_of(entry);
  return sum;
}

Task<Result<>> Log::Writer::start(detail::RecoveredLog recovered) {
  for (auto& [id, group] : recovered.groups) {
    recovered_.emplace(id, Recovered{group.index.base(), group.index.hard_state, std::move(group.tail)});
    const Index last = group.index.last();
    groups_.emplace(id, Group{std::move(group.index), last});
  }
  segments_.adopt(std::move(recovered.segments), recovered.active, recovered.next_file);
  segments_.release_below(recovered.first_live);
  offset_ = recovered.offset;
  next_batch_ = recovered.next_batch;
  KISEKI_CO_TRY(co_await segments_.start());
  publish();
  scope_.spawn(flush_all());
  co_return Result<>{};
}

Log::Writer::Group* Log::Writer::find(GroupId group) {
  const auto found = groups_.find(group);
  return found == groups_.end() || found->second.erasing ? nullptr : &found->second;
}

Task<Result<>> Log::Writer::enqueue(Waiting& waiting) {
  KISEKI_ASSERT(!stopping_);
  if (failed_) co_return fail(*failed_);
  if (waiting.size() > append_max_) {
    co_return fail(Errc::too_large,
                   fmt::format("an append of {} bytes; the log takes {}", waiting.size(), append_max_));
  }
  if (!waiting.entries.empty()) groups_.at(waiting.group).queued_last = waiting.entries.back().index;
  if (waiting.erased) groups_.at(waiting.group).erasing = true;
  queue_.push_back(&waiting);
  work_.set();
  co_return co_await waiting.done.take();
}

Task<Result<>> Log::Writer::create(GroupId group, SnapshotMeta base) {
  if (groups_.contains(group) || !creating_.insert(group).second) {
    co_return fail(Errc::exists, fmt::format("log: group {}", group.value()));
  }
  Waiting waiting{.group = group,
                  .base = detail::BaseRecord{detail::Fresh::yes, std::move(base)},
                  .hard_state = HardState{},
                  .entries = {},
                  .erased = false,
                  .done = {}};
  co_return co_await enqueue(waiting);
}

Task<Result<>> Log::Writer::append(Append append) {
  Group* const found = find(append.group);
  if (found == nullptr) co_return fail(no_group(append.group));
  Group& group = *found;
  if (!append.sync && append.entries.empty()) {
    if (append.hard_state) {
      group.index.hard_state = *append.hard_state;
      lazy_.insert(append.group);
    }
    co_return Result<>{};
  }
  if (!append.entries.empty()) {
    const Index first = append.entries.front().index;
    KISEKI_ASSERT(group.index.base().index < first);
    // An append before it was refused: the caller tries that one again first.
    if (first > group.queued_last + 1) co_return fail(Errc::stale, "log: entries before these are missing");
  }
  Waiting waiting{.group = append.group,
                  .base = std::nullopt,
                  .hard_state = append.hard_state,
                  .entries = append.entries,
                  .erased = false,
                  .done = {}};
  co_return co_await enqueue(waiting);
}

Task<Result<>> Log::Writer::compact(GroupId group, SnapshotMeta through) {
  const Group* const found = find(group);
  if (found == nullptr) co_return fail(no_group(group));
  const auto& index = found->index;
  if (through.index <= index.base().index) co_return Result<>{};
  KISEKI_ASSERT(through.index <= index.last());
  Waiting waiting{.group = group,
                  .base = detail::BaseRecord{detail::Fresh::no, std::move(through)},
                  .hard_state = std::nullopt,
                  .entries = {},
                  .erased = false,
                  .done = {}};
  co_return co_await enqueue(waiting);
}

Task<Result<>> Log::Writer::install(GroupId group, SnapshotMeta base, std::optional<HardState> hard_state) {
  if (find(group) == nullptr) co_return fail(no_group(group));
  Waiting waiting{.group = group,
                  .base = detail::BaseRecord{detail::Fresh::yes, std::move(base)},
                  .hard_state = hard_state,
                  .entries = {},
                  .erased = false,
                  .done = {}};
  co_return co_await enqueue(waiting);
}

Task<Result<>> Log::Writer::erase(GroupId group) {
  if (find(group) == nullptr) co_return fail(no_group(group));
  Waiting waiting{.group = group,
                  .base = std::nullopt,
                  .hard_state = std::nullopt,
                  .entries = {},
                  .erased = true,
                  .done = {}};
  co_return co_await enqueue(waiting);
}

/// Besides what waits: lazy hard states at the end, and, where no segment is left, a batch that lets those go
/// that nobody needs.
bool Log::Writer::has_work() const {
  if (!queue_.empty()) return true;
  if (failed_) return false;
  return stopping_ ? !lazy_.empty() : !segments_.has_spare() && segments_.released_below() < first_live_;
}

Task<> Log::Writer::flush_all() {
  while (true) {
    if (!has_work()) {
      if (stopping_) co_return;
      work_.reset();
      co_await work_.wait();
      continue;
    }
    // Those whom the last flush woke, and whatever else this turn brings, come along.
    co_await yield(executor_);
    co_await yield(executor_);
    const Batch batch = gather();
    auto result = co_await write(batch);
    if (!result) refuse(batch, result.error());
    publish();
    if (!result && batch.empty()) {
      if (stopping_) co_return;
      work_.reset();
      co_await work_.wait();
    }
  }
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
    sum += BatchWriter::size_of(group.index.base()) + BatchWriter::size_of(group.index.hard_state);
  }
  return sum;
}

void Log::Writer::write_checkpoint(BatchWriter& writer) const {
  for (const auto& [id, group] : groups_) {
    writer.add(id, group.index.base(), detail::Fresh::no);
    writer.add(id, group.index.hard_state);
  }
}

/// The active segment is one that holds the batch. The end of the last segment is not for appends.
Task<Result<>> Log::Writer::make_room(const Batch& batch) {
  const Bytes kept = std::ranges::any_of(batch, &Waiting::is_append) && !segments_.has_spare() ? reserve_ : 0;
  const auto end = [&] { return offset_ + round_up(BatchHeader::encoded_size + size_of(batch), log_block); };
  if (end() + kept <= segments_.active().size) co_return Result<>{};
  KISEKI_CO_TRY(co_await segments_.advance());
  offset_ = log_block;
  KISEKI_ASSERT(end() <= segments_.active().size);
  co_return Result<>{};
}

std::vector<Run> Log::Writer::write_records(BatchWriter& writer, const Batch& batch) {
  std::vector<Run> runs;
  runs.reserve(batch.size());
  for (const GroupId id : lazy_) writer.add(id, groups_.at(id).index.hard_state);
  for (const Waiting* waiting : batch) {
    if (waiting->base) writer.add(waiting->group, waiting->base->meta, waiting->base->fresh);
    if (waiting->hard_state) writer.add(waiting->group, *waiting->hard_state);
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

Task<Result<>> Log::Writer::write(const Batch& batch) {
  if (failed_) co_return fail(*failed_);
  KISEKI_CO_TRY(co_await make_room(batch));
  BatchWriter writer(segments_.active().sequence, size_of(batch));
  if (offset_ == log_block) write_checkpoint(writer);
  const auto runs = write_records(writer, batch);
  lazy_.clear();
  const std::uint64_t lowest = first_live();
  const Buffer bytes =
      writer.finish({.number = next_batch_, .flushed = next_batch_ - 1, .first_live = lowest});
  KISEKI_CO_TRY(co_await flush(bytes));
  ++next_batch_;
  offset_ += bytes.size();
  segments_.release_below(lowest);
  appends.add(batch.size());
  settle(batch, runs);
  co_return Result<>{};
}

Task<Result<>> Log::Writer::flush(const Buffer& batch) {
  const BootTime begun = clock_.now();
  disk::File& file = *segments_.active().file;
  auto result = co_await file.write(offset_, batch.view());
  if (result) result = co_await file.sync();
  if (!result && KISEKI_PLANTED("failed flush tried again")) result = co_await file.sync();
  flush_time.observe(clock_.now() - begun);
  flushes.add();
  written.add(batch.size());
  if (result) co_return Result<>{};
  // What reached the disk is not known any more, and a second flush would not say.
  failed_ = std::move(result).error().in(fmt::format("log segment {}", segments_.active().name()));
  co_return fail(*failed_);
}

void Log::Writer::settle(const Batch& batch, const std::vector<Run>& runs) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    Waiting& waiting = *batch[i];
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
    }
    if (waiting.hard_state && !lazy_.contains(waiting.group)) group.index.hard_state = *waiting.hard_state;
    if (!waiting.entries.empty()) group.index.append(runs[i]);
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
      group->second.erasing = false;
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

Task<Result<std::vector<Entry>>> Log::Writer::read(GroupId group, Index from, Index to, Bytes limit) {
  std::vector<Entry> entries;
  Bytes size = 0;
  for (Index next = from; next < to;) {
    // Nothing is held across the reads: the group may have been compacted or truncated meanwhile.
    const Group* const found = find(group);
    if (found == nullptr) co_return fail(no_group(group));
    const auto& index = found->index;
    if (next <= index.base().index) co_return fail(Errc::stale, "log: entries were compacted away");
    if (next > index.last()) co_return fail(Errc::out_of_range, "log: no such entries");
    const std::size_t before = entries.size();
    KISEKI_CO_TRY(co_await read_run(index.find(next), {group, next, to, limit - size}, entries));
    for (std::size_t i = before; i < entries.size(); ++i) size += entries[i].data.size();
    if (entries.empty() || size >= limit || entries.size() == before) break;
    next = entries.back().index + 1;
  }
  co_return entries;
}

Task<Result<>> Log::Writer::read_run(Run run, Wanted wanted, std::vector<Entry>& into) {
  detail::Segment& segment = *segments_.find(run.segment);
  const Bytes start = round_down(run.offset, log_block);
  auto frame = std::make_shared<Buffer>(round_up(run.offset + run.size, log_block) - start);
  ++segment.readers;
  auto result = co_await segment.file->read(start, frame->span());
  --segment.readers;
  if (!result) co_return fail(std::move(result).error().in("log"));
  detail::RecordReader reader(frame->view().subspan(run.offset - start, run.size), run.segment);
  Bytes size = 0;
  // Compaction may have moved run.first past the records the run begins with.
  for (Index next = 0; next <= run.last && next < wanted.to;) {
    auto entry = next_entry(reader, wanted.group);
    if (!entry || (next == 0 ? entry->index > run.first : entry->index != next)) {
      co_return fail(Errc::corrupted,
                     fmt::format("log segment {} at offset {}: entries of group {} are damaged",
                                 segment.name(), run.offset, wanted.group.value()));
    }
    next = entry->index + 1;
    if (entry->index < wanted.from) continue;
    size += entry->data.size();
    if (size > wanted.limit && !into.empty()) break;
    entry->owner = frame;
    into.push_back(std::move(*entry));
  }
  co_return Result<>{};
}

Task<> Log::Writer::stop() {
  stopping_ = true;
  work_.set();
  co_await scope_.stop();
  co_await segments_.stop();
}

}  // namespace kiseki::raft
