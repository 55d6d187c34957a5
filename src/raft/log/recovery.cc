#include "raft/log/recovery.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "base/logging.h"
#include "base/planted.h"

namespace kiseki::raft::detail {

namespace {

namespace fs = std::filesystem;

/// A place in the log.
struct Place {
  std::size_t segment;  // position among the segments
  Bytes offset;
};

/// A batch that is whole. `records` is valid until the window moves.
struct Batch {
  BatchHeader header;
  View records;
};

/// The whole batch that begins at `offset`, of whatever segment it says it is of.
Task<Result<std::optional<Batch>>> read_batch(SegmentWindow& window, Bytes size, Bytes offset) {
  const auto block = co_await window.at(offset, log_block);
  if (!block) co_return fail(block.error());
  const auto header = parse_batch_header(*block);
  if (!header) co_return fail(header.error());
  if (!*header || (*header)->stored() > size - offset) co_return std::nullopt;
  const auto stored = co_await window.at(offset, (*header)->stored());
  if (!stored) co_return fail(stored.error());
  const View records = stored->subspan(BatchHeader::encoded_size, (*header)->length);
  if (!is_intact(**header, records)) co_return std::nullopt;
  co_return Batch{**header, records};
}

class Recovery {
 public:
  Recovery(disk::Disk& disk, fs::path directory) : disk_(disk), directory_(std::move(directory)) {}

  Task<Result<RecoveredLog>> run();

 private:
  Task<Result<>> open_files();
  Task<Result<>> open_file(std::string name);
  Result<> keep_unbroken_row();
  Task<Result<>> scan(std::size_t position);
  Result<> accept(std::size_t position, Bytes offset, const Batch& batch);
  bool is_expected(Bytes offset, const BatchHeader& header) const;
  void note_damage(std::size_t position, Bytes offset, const BatchHeader& later);
  Result<> judge() const;
  Task<Result<>> judge_headless();
  Task<Result<>> warn_of_torn_batch();
  Task<Result<bool>> looks_torn(Place place);
  Task<Result<>> clear_tail();
  std::string describe(Place place) const;

  disk::Disk& disk_;
  fs::path directory_;
  RecoveredLog log_;
  Replay replay_;
  std::vector<std::unique_ptr<Segment>> headless_;
  std::optional<BatchHeader> last_;       // the last whole batch
  std::optional<Place> end_;              // where no batch was found and one was expected
  std::optional<Place> damage_;           // the last place with a later batch behind it
  std::map<std::size_t, Bytes> dropped_;  // by segment: where the last whole batch that was not taken ends
};

std::string Recovery::describe(Place place) const {
  const Segment& segment = *log_.segments[place.segment];
  return fmt::format("log segment {} (number {}) at offset {}", segment.name(), segment.sequence,
                     place.offset);
}

Task<Result<>> Recovery::open_file(std::string name) {
  auto file = co_await disk_.open(
      directory_ / name, {.caching = disk::Caching::direct, .existence = disk::Existence::must_exist});
  if (!file) co_return fail(std::move(file).error().in(name));
  auto segment = std::make_unique<Segment>();
  segment->path = directory_ / name;
  segment->file = std::move(*file);
  segment->size = round_down(segment->file->size(), log_block);
  if (segment->size < log_block) {
    headless_.push_back(std::move(segment));
    co_return Result<>{};
  }
  SegmentWindow window(*segment->file);
  const auto block = co_await window.at(0, log_block);
  if (!block) co_return fail(Error(block.error()).in(name));
  const auto header = parse_segment_header(*block);
  if (!header && header.error().code() == Errc::wrong_format) co_return fail(Error(header.error()).in(name));
  if (!header) {
    headless_.push_back(std::move(segment));
    co_return Result<>{};
  }
  segment->sequence = header->sequence;
  segment->size = std::min(segment->size, header->size);
  log_.segments.push_back(std::move(segment));
  co_return Result<>{};
}

Task<Result<>> Recovery::open_files() {
  auto names = co_await disk_.list(directory_);
  if (!names) co_return fail(std::move(names).error());
  for (const std::string& name : *names) {
    const auto number = parse_segment_file_name(name);
    if (!number) continue;
    log_.next_file = std::max(log_.next_file, *number + 1);
    KISEKI_CO_TRY(co_await open_file(name));
  }
  co_return Result<>{};
}

/// What lies below a gap is older than anything needed, or `judge` finds the gap.
Result<> Recovery::keep_unbroken_row() {
  auto& segments = log_.segments;
  std::ranges::sort(segments, {}, [](const auto& segment) { return segment->sequence; });
  for (std::size_t i = segments.size(); i > 1; --i) {
    const auto above = segments[i - 1]->sequence;
    const auto below = segments[i - 2]->sequence;
    if (above == below) {
      return fail(Errc::corrupted, fmt::format("log segments {} and {} have the same number {}",
                                               segments[i - 1]->name(), segments[i - 2]->name(), above));
    }
    if (above == below + 1) continue;
    const auto gap = segments.begin() + static_cast<std::ptrdiff_t>(i - 1);
    std::move(segments.begin(), gap, std::back_inserter(headless_));
    segments.erase(segments.begin(), gap);
    break;
  }
  return {};
}

bool Recovery::is_expected(Bytes offset, const BatchHeader& header) const {
  const bool in_place = !end_ || offset == log_block;
  return in_place && (!last_ || header.number == last_->number + 1);
}

Result<> Recovery::accept(std::size_t position, Bytes offset, const Batch& batch) {
  auto added = replay_.add(batch.header, batch.records, offset + BatchHeader::encoded_size);
  if (!added) return fail(std::move(added).error().in(describe({position, offset})));
  end_.reset();
  last_ = batch.header;
  log_.active = position;
  log_.offset = offset + batch.header.stored();
  return {};
}

/// Only the needed segments count in the end, and each of them names all groups again.
void Recovery::note_damage(std::size_t position, Bytes offset, const BatchHeader& later) {
  damage_ = end_.value_or(Place{position, offset});
  replay_.clear();
  last_ = later;
  end_.reset();
}

/// Every block of the segment: a batch behind a place where one was expected proves damage, if it was written
/// after that one had been flushed.
Task<Result<>> Recovery::scan(std::size_t position) {
  const Segment& segment = *log_.segments[position];
  SegmentWindow window(*segment.file);
  bool damaged = false;
  for (Bytes offset = log_block; offset < segment.size;) {
    const auto batch = co_await read_batch(window, segment.size, offset);
    if (!batch) co_return fail(Error(batch.error()).in(describe({position, offset})));
    const bool ours = *batch && (*batch)->header.sequence == segment.sequence;
    if (ours && !damaged && is_expected(offset, (*batch)->header)) {
      KISEKI_CO_TRY(accept(position, offset, **batch));
    } else if (ours && (*batch)->header.flushed > (last_ ? last_->number : 0)) {
      note_damage(position, offset, (*batch)->header);
      damaged = true;
    } else if (!end_ && !damaged) {
      end_ = Place{position, offset};
    }
    if (end_ && ours) dropped_[position] = offset + (*batch)->header.stored();
    offset += ours ? (*batch)->header.stored() : log_block;
  }
  co_return Result<>{};
}

Result<> Recovery::judge() const {
  if (log_.segments.empty()) return {};
  if (log_.first_live < log_.segments.front()->sequence) {
    return fail(Errc::corrupted, fmt::format("log segments {} to {} are missing in {}", log_.first_live,
                                             log_.segments.front()->sequence - 1, directory_.native()));
  }
  if (damage_ && log_.segments[damage_->segment]->sequence >= log_.first_live) {
    return fail(Errc::corrupted,
                describe(*damage_) + ": damaged, and later batches prove that it was flushed");
  }
  return replay_.finish();
}

/// A file whose header is lost is blank, or left from an earlier use, or damaged.
Task<Result<>> Recovery::judge_headless() {
  for (auto& segment : headless_) {
    SegmentWindow window(*segment->file);
    for (Bytes offset = log_block; offset < segment->size;) {
      const auto batch = co_await read_batch(window, segment->size, offset);
      if (!batch) co_return fail(Error(batch.error()).in(segment->name()));
      if (*batch && (!last_ || (*batch)->header.sequence >= log_.first_live)) {
        co_return fail(
            Errc::corrupted,
            fmt::format("log segment {} at offset 0: the header is damaged, and batches of segment {} "
                        "follow it",
                        segment->name(), (*batch)->header.sequence));
      }
      offset += *batch ? (*batch)->header.stored() : log_block;
    }
  }
  for (auto& segment : headless_) KISEKI_CO_TRY(co_await remove_segment(disk_, std::move(segment)));
  headless_.clear();
  co_return Result<>{};
}

/// The intact header of a batch that would have been next.
Task<Result<bool>> Recovery::looks_torn(Place place) {
  const Segment& segment = *log_.segments[place.segment];
  if (place.offset >= segment.size) co_return false;
  SegmentWindow window(*segment.file);
  const auto block = co_await window.at(place.offset, log_block);
  if (!block) co_return fail(block.error());
  const auto header = parse_batch_header(*block);
  if (!header) co_return fail(header.error());
  co_return *header && (*header)->sequence == segment.sequence && (*header)->number == log_.next_batch;
}

Task<Result<>> Recovery::warn_of_torn_batch() {
  std::vector<Place> places{{log_.active, log_.offset}};
  if (log_.active + 1 < log_.segments.size()) places.push_back({log_.active + 1, log_block});
  for (const Place place : places) {
    const auto torn = co_await looks_torn(place);
    if (!torn) co_return fail(torn.error());
    if (*torn) {
      log::warning("raft", "{}: dropped a torn batch that was never acknowledged", describe(place));
    }
  }
  co_return Result<>{};
}

/// Batches that left together with one that was torn: none of them may be taken for the successor of what is
/// written in its place.
Task<Result<>> Recovery::clear_tail() {
  for (const auto& [position, end] : dropped_) {
    if (position < log_.active || KISEKI_PLANTED("batches after a torn one stay")) continue;
    const Segment& segment = *log_.segments[position];
    const Bytes start = position == log_.active ? log_.offset : log_block;
    if (end <= start) continue;
    log::warning("raft", "{}: dropped batches after a torn one that were never acknowledged",
                 describe({position, start}));
    KISEKI_CO_TRY(co_await write_zeros(*segment.file, start, end - start));
  }
  co_return Result<>{};
}

Task<Result<RecoveredLog>> Recovery::run() {
  KISEKI_CO_TRY(co_await open_files());
  KISEKI_CO_TRY(keep_unbroken_row());
  for (std::size_t i = 0; i < log_.segments.size(); ++i) KISEKI_CO_TRY(co_await scan(i));
  if (last_) {
    log_.first_live = last_->first_live;
    log_.next_batch = last_->number + 1;
  } else if (!log_.segments.empty()) {
    log_.first_live = log_.segments.front()->sequence;
  }
  KISEKI_CO_TRY(judge());
  KISEKI_CO_TRY(co_await judge_headless());
  if (!log_.segments.empty()) {
    KISEKI_CO_TRY(co_await warn_of_torn_batch());
    KISEKI_CO_TRY(co_await clear_tail());
    // What was written and not flushed when the process died must not be lost after it was acted upon.
    KISEKI_CO_TRY(co_await log_.segments[log_.active]->file->sync());
  }
  log_.groups = replay_.take();
  co_return std::move(log_);
}

}  // namespace

Task<Result<RecoveredLog>> recover_log(disk::Disk& disk, fs::path directory) {
  Recovery recovery(disk, std::move(directory));
  co_return co_await recovery.run();
}

}  // namespace kiseki::raft::detail
