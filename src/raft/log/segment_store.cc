#include "raft/log/segment_store.h"

#include <algorithm>

#include "base/assert.h"
#include "base/logging.h"

namespace kiseki::raft::detail {

namespace {

constexpr Duration retry_delay = std::chrono::seconds(1);

}  // namespace

SegmentStore::SegmentStore(disk::Disk& disk, Executor executor, Clock& clock, Options options)
    : disk_(disk), clock_(clock), options_(std::move(options)), scope_(executor) {}

void SegmentStore::adopt(std::vector<std::unique_ptr<Segment>> segments, std::size_t active,
                         std::uint32_t next_file) {
  std::ranges::move(segments, std::back_inserter(segments_));
  active_ = active;
  next_file_ = next_file;
  if (!segments_.empty()) last_sequence_ = segments_.back()->sequence;
}

Task<Result<>> SegmentStore::start() {
  if (segments_.empty()) KISEKI_CO_TRY(co_await prepare_one());
  scope_.spawn(prepare_spares());
  co_return Result<>{};
}

Segment* SegmentStore::find(std::uint64_t sequence) {
  const auto found =
      std::ranges::find(segments_, sequence, [](const auto& segment) { return segment->sequence; });
  return found == segments_.end() ? nullptr : found->get();
}

Task<Result<>> SegmentStore::advance() {
  while (spares() == 0) {
    wanted_.set();
    co_await attempts_.wait();
    if (spares() == 0 && trouble_) co_return fail(*trouble_);
    if (stopping_) co_return fail(Errc::cancelled, "the log is stopping");
  }
  ++active_;
  wanted_.set();
  co_return Result<>{};
}

void SegmentStore::release_below(std::uint64_t sequence) {
  if (sequence <= released_below_) return;
  released_below_ = sequence;
  if (reusable() > 0) wanted_.set();
}

Bytes SegmentStore::size_from(std::uint64_t sequence) const {
  Bytes sum = 0;
  for (std::size_t i = 0; i < active_; ++i) {
    if (segments_[i]->sequence >= sequence) sum += segments_[i]->size;
  }
  return sum;
}

/// From the front on: the row of numbers stays unbroken.
std::size_t SegmentStore::reusable() const {
  std::size_t count = 0;
  while (count < active_ && segments_[count]->sequence < released_below_ && segments_[count]->readers == 0) {
    ++count;
  }
  return count;
}

Task<Result<std::unique_ptr<Segment>>> SegmentStore::recycle_or_create() {
  if (reusable() == 0 || segments_.front()->size != options_.segment_size) {
    const auto path = options_.directory / segment_file_name(next_file_++);
    co_return co_await create_segment(disk_, path, options_.segment_size);
  }
  auto segment = std::move(segments_.front());
  segments_.pop_front();
  --active_;
  co_return segment;
}

Task<Result<>> SegmentStore::prepare_one() {
  if (broken_) co_return fail(Errc::io_error, "a half-made log segment could not be removed");
  auto segment = co_await recycle_or_create();
  if (!segment) co_return fail(std::move(segment).error());
  auto claimed = co_await claim_segment(**segment, last_sequence_ + 1);
  if (!claimed) {
    // No other file may ever get a number that this one may bear.
    broken_ = !(co_await remove_segment(disk_, std::move(*segment)));
    co_return fail(std::move(claimed).error());
  }
  ++last_sequence_;
  segments_.push_back(std::move(*segment));
  co_return Result<>{};
}

/// Files that were needed once and are more than the spares to come.
Task<Result<>> SegmentStore::remove_surplus() {
  while (spares() >= options_.spares && reusable() > options_.spares) {
    auto segment = std::move(segments_.front());
    segments_.pop_front();
    --active_;
    KISEKI_CO_TRY(co_await remove_segment(disk_, std::move(segment)));
  }
  co_return Result<>{};
}

Task<> SegmentStore::prepare_spares() {
  while (!stopping_) {
    wanted_.reset();
    auto result = spares() < options_.spares ? co_await prepare_one() : co_await remove_surplus();
    if (!result && (!trouble_ || trouble_->code() != result.error().code())) {
      log::warning("raft", "log: cannot prepare a segment: {}", result.error().to_string());
    }
    trouble_ = result ? std::nullopt : std::optional(std::move(result).error());
    out_of_space_ = spares() == 0 && trouble_ && trouble_->code() == Errc::no_space;
    attempts_.wake_all();
    if (trouble_) {
      co_await scope_.sleep(clock_, retry_delay);
    } else if (spares() >= options_.spares && reusable() <= options_.spares) {
      co_await wanted_.wait();
    }
  }
  attempts_.wake_all();
}

Task<> SegmentStore::stop() {
  stopping_ = true;
  wanted_.set();
  co_await scope_.stop();
}

}  // namespace kiseki::raft::detail
