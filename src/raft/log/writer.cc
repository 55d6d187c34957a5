#include "raft/log/writer.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/assert.h"

namespace kiseki::raft {

using detail::BatchWriter;
using detail::log_block;

namespace {

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
  if (base) sum += BatchWriter::size_of(*base);
  if (hard_state) sum += BatchWriter::size_of(*hard_state);
  if (erased) sum += BatchWriter::size_of_erased();
  for (const Entry& entry : entries) sum += BatchWriter::size_of(entry);
  return sum;
}

Task<Result<>> Log::Writer::start(detail::RecoveredLog recovered) {
  for (auto& [id, group] : recovered.groups) {
    recovered_.emplace(id, Recovered{.replica = group.index.replica(),
                                     .base = group.index.base(),
                                     .hard_state = group.index.hard_state,
                                     .tail = std::move(group.tail)});
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

Task<Result<>> Log::Writer::create(GroupId group, ReplicaId replica, SnapshotMeta base) {
  if (groups_.contains(group) || !creating_.insert(group).second) {
    co_return fail(Errc::exists, fmt::format("log: group {}", group.value()));
  }
  Waiting waiting{.group = group,
                  .base = detail::BaseRecord{detail::Fresh::yes, replica, std::move(base)},
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
    KISEKI_ASSERT(append.entries.back().index == first + append.entries.size() - 1);
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
                  .base = detail::BaseRecord{detail::Fresh::no, index.replica(), std::move(through)},
                  .hard_state = std::nullopt,
                  .entries = {},
                  .erased = false,
                  .done = {}};
  co_return co_await enqueue(waiting);
}

Task<Result<>> Log::Writer::install(GroupId group, SnapshotMeta base, std::optional<HardState> hard_state) {
  const Group* const found = find(group);
  if (found == nullptr) co_return fail(no_group(group));
  const ReplicaId replica = found->index.replica();
  Waiting waiting{.group = group,
                  .base = detail::BaseRecord{detail::Fresh::yes, replica, std::move(base)},
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

Task<Result<>> Log::Writer::read_run(detail::Run run, Wanted wanted, std::vector<Entry>& into) {
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
