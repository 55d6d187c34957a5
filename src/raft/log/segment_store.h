#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/scope.h"
#include "base/sync.h"
#include "raft/log/segment.h"

namespace kiseki::raft::detail {

/// The files of a log by sequence number: old ones that may be used again, live ones, the active one, and
/// spares that are prepared in the background before they are needed.
class SegmentStore {
 public:
  struct Options {
    std::filesystem::path directory;
    Bytes segment_size;
    std::size_t spares;
  };
  /// `segments` by sequence number; those above `active` are empty. `disk` and `clock` outlive the store.
  SegmentStore(disk::Disk& disk, Executor executor, Clock& clock, Options options);
  void adopt(std::vector<std::unique_ptr<Segment>> segments, std::size_t active, std::uint32_t next_file);

  /// Makes the first segment where there is none, and starts preparing spares.
  Task<Result<>> start();
  Segment& active() { return *segments_[active_]; }
  bool has_spare() const { return spares() > 0; }
  Segment* find(std::uint64_t sequence);
  /// The next segment becomes the active one. `no_space`, or what else made preparing one fail.
  Task<Result<>> advance();
  /// Segments below `sequence` are not needed any more, and a durable batch says so.
  void release_below(std::uint64_t sequence);
  std::uint64_t released_below() const { return released_below_; }
  /// Bytes of the segments from `sequence` up to the active one, without it.
  Bytes size_from(std::uint64_t sequence) const;
  /// There is no spare, and the last attempt to prepare one found no room. From any core.
  bool is_out_of_space() const { return out_of_space_.load(std::memory_order_relaxed); }
  Task<> stop();

 private:
  std::size_t spares() const { return segments_.size() - active_ - 1; }
  std::size_t reusable() const;
  Task<> prepare_spares();
  Task<Result<>> prepare_one();
  Task<Result<std::unique_ptr<Segment>>> recycle_or_create();
  Task<Result<>> remove_surplus();

  disk::Disk& disk_;
  Clock& clock_;
  Options options_;
  Scope scope_;
  std::deque<std::unique_ptr<Segment>> segments_;
  std::size_t active_ = 0;
  std::uint32_t next_file_ = 0;
  std::uint64_t last_sequence_ = 0;
  std::uint64_t released_below_ = 0;
  std::optional<Error> trouble_;  // of the last attempt
  std::atomic<bool> out_of_space_ = false;
  bool broken_ = false;  // a half-made segment could not be removed: its number is in doubt
  bool stopping_ = false;
  Event wanted_;
  WaitList attempts_;  // woken after each attempt to prepare a spare
};

}  // namespace kiseki::raft::detail
