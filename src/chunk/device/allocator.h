#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "chunk/device/index.h"

namespace kiseki::chunk::detail {

/// Decides which bytes of the data file are written next: open regions, freed extents and what they wait for.
/// Does no I/O. The rules stand in docs/formats/device.md.
class Allocator {
 public:
  /// `usage` is the index's, of the areas that the file has; it outlives this.
  Allocator(Geometry geometry, const std::vector<AreaUsage>& usage) : geometry_(geometry), usage_(usage) {
    add_areas();
  }
  /// The file has grown.
  void add_areas();

  /// From the active region, above everything taken from it before. Its region stays open until `settle`.
  std::optional<Position> take(Bytes size);
  /// What was written there is in the index, or given up.
  void settle(Position position, Bytes size);
  /// Taken and not settled.
  Bytes outstanding() const noexcept { return outstanding_; }

  /// The new active region; `free` rises. The one before retires.
  void open(OpenRegion region, std::vector<Extent> free);
  void retire();
  bool has_active() const noexcept { return active_.has_value(); }
  std::size_t retired() const noexcept { return retired_.size(); }
  /// Every retired region can be closed by the next flush.
  bool retired_are_settled() const;
  std::vector<OpenRegion> open_regions() const;

  /// An index flush begins now.
  struct Flush {
    std::uint64_t number = 0;
    std::size_t closable = 0;
  };
  Flush begin_flush();
  void end_flush(Flush flush);

  /// The row of the extent is about to be erased: the space is not handed out until it is freed.
  void freeing(Extent extent);
  /// The row was erased just now.
  void freed(Extent extent);
  std::size_t freed_waiting() const noexcept { return freed_.size(); }

  /// The closed area that may hold the largest piece, if that is `needed` or more. Looks at no more areas
  /// than are open.
  std::optional<Area> choose(Bytes needed) const;
  /// What may be handed out of a closed area; `live` are its fragments by offset. Remembers the largest.
  std::vector<Extent> free_in(Area area, std::span<const Index::Live> live);

  std::uint64_t begin_read();
  void end_read(std::uint64_t read) { reads_.erase(read); }

 private:
  struct Region {
    OpenRegion place;
    std::vector<Extent> free;  // reversed: the next one is the last
    std::size_t outstanding = 0;
  };
  /// An extent without a row that is not handed out yet.
  struct Freed {
    Bytes length = 0;
    std::uint64_t flush = UINT64_MAX;  // the first flush that makes it durable
    std::uint64_t read = 0;            // the first read that cannot see it
  };
  struct LargestFirst {
    bool operator()(const std::pair<Bytes, Area>& a, const std::pair<Bytes, Area>& b) const noexcept {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    }
  };
  bool is_open(Area area) const;
  bool is_usable(const Freed& freed) const;
  void drop_usable();
  /// No piece of the area is larger.
  void bound(Area area, Bytes largest);
  void bound_by_usage(Area area) { bound(area, geometry_.region - usage_[area].live); }

  Geometry geometry_;
  const std::vector<AreaUsage>& usage_;
  std::optional<Region> active_;
  std::deque<Region> retired_;  // oldest first
  Bytes outstanding_ = 0;
  std::map<Bytes, Freed> freed_;  // by offset
  std::uint64_t flushes_begun_ = 0;
  std::uint64_t flushes_durable_ = 0;
  std::set<std::uint64_t> reads_;
  std::uint64_t next_read_ = 0;
  std::vector<Bytes> bounds_;  // by area
  std::set<std::pair<Bytes, Area>, LargestFirst> by_bound_;
};

}  // namespace kiseki::chunk::detail
