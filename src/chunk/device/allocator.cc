#include "chunk/device/allocator.h"

#include "base/assert.h"

namespace kiseki::chunk::detail {

std::optional<Position> Allocator::take(Bytes size) {
  KISEKI_ASSERT(size > 0 && size % unit == 0);
  if (!active_) return std::nullopt;
  auto& free = active_->free;
  const auto fits = [size](const Extent& extent) { return extent.length >= size; };
  const auto found = std::find_if(free.rbegin(), free.rend(), fits);
  if (found == free.rend()) return std::nullopt;
  // What is skipped waits for the next opening: going back would break the order of positions.
  free.erase(found.base(), free.end());
  Extent& extent = free.back();
  const Position position{active_->place.number, extent.offset};
  extent.offset += size;
  extent.length -= size;
  if (extent.length == 0) free.pop_back();
  ++active_->outstanding;
  outstanding_ += size;
  return position;
}

void Allocator::settle(Position position, Bytes size) {
  outstanding_ -= size;
  if (active_ && active_->place.number == position.region) {
    --active_->outstanding;
    return;
  }
  const auto found =
      std::ranges::find(retired_, position.region, [](const Region& r) { return r.place.number; });
  KISEKI_ASSERT(found != retired_.end() && found->outstanding > 0);
  --found->outstanding;
}

void Allocator::open(OpenRegion region, std::vector<Extent> free) {
  retire();
  std::ranges::reverse(free);
  active_ = Region{region, std::move(free), 0};
}

void Allocator::retire() {
  if (active_) retired_.push_back(std::move(*active_));
  active_.reset();
}

bool Allocator::retired_are_settled() const {
  return std::ranges::all_of(retired_, [](const Region& region) { return region.outstanding == 0; });
}

std::vector<OpenRegion> Allocator::open_regions() const {
  std::vector<OpenRegion> open;
  for (const Region& region : retired_) open.push_back(region.place);
  if (active_) open.push_back(active_->place);
  return open;
}

Allocator::Flush Allocator::begin_flush() {
  Flush flush{.number = ++flushes_begun_};
  while (flush.closable < retired_.size() && retired_[flush.closable].outstanding == 0) ++flush.closable;
  return flush;
}

void Allocator::end_flush(Flush flush) {
  flushes_durable_ = flush.number;
  for (std::size_t i = 0; i < flush.closable; ++i) {
    // Its records and what it skipped are free again.
    bound_by_usage(retired_.front().place.area);
    retired_.pop_front();
  }
  drop_usable();
}

void Allocator::freeing(Extent extent) {
  const bool fresh = freed_.emplace(extent.offset, Freed{.length = extent.length}).second;
  KISEKI_ASSERT(fresh);
}

void Allocator::freed(Extent extent) {
  freed_.insert_or_assign(extent.offset, Freed{extent.length, flushes_begun_ + 1, next_read_});
}

bool Allocator::is_usable(const Freed& freed) const {
  return freed.flush <= flushes_durable_ && (reads_.empty() || *reads_.begin() >= freed.read);
}

void Allocator::drop_usable() {
  std::erase_if(freed_, [this](const auto& entry) {
    if (!is_usable(entry.second)) return false;
    bound_by_usage(geometry_.area_of(entry.first));
    return true;
  });
}

bool Allocator::is_open(Area area) const {
  const auto here = [area](const Region& region) { return region.place.area == area; };
  return (active_ && here(*active_)) || std::ranges::any_of(retired_, here);
}

std::optional<Area> Allocator::choose(Bytes needed) const {
  for (const auto& [largest, area] : by_bound_) {
    if (largest < needed) break;
    if (!is_open(area)) return area;
  }
  return std::nullopt;
}

void Allocator::bound(Area area, Bytes largest) {
  by_bound_.erase({bounds_[area], area});
  bounds_[area] = largest;
  by_bound_.emplace(largest, area);
}

void Allocator::add_areas() {
  for (auto area = static_cast<Area>(bounds_.size()); area < usage_.size(); ++area) {
    bounds_.push_back(geometry_.region - usage_[area].live);
    by_bound_.emplace(bounds_[area], area);
  }
}

std::vector<Extent> Allocator::free_in(Area area, std::span<const Index::Live> live) {
  drop_usable();
  std::vector<Extent> taken;
  for (const auto& fragment : live) taken.push_back(fragment.extent);
  const Extent whole = geometry_.extent_of(area);
  for (auto at = freed_.lower_bound(whole.offset); at != freed_.end() && at->first < whole.end(); ++at) {
    taken.push_back({at->first, at->second.length});
  }
  std::ranges::sort(taken, {}, &Extent::offset);
  taken.push_back({whole.end(), 0});
  std::vector<Extent> free;
  Bytes from = whole.offset;
  Bytes largest = 0;
  for (const Extent& extent : taken) {
    if (extent.offset > from) free.push_back({from, extent.offset - from});
    if (extent.offset > from) largest = std::max(largest, extent.offset - from);
    from = std::max(from, extent.end());
  }
  bound(area, largest);
  return free;
}

std::uint64_t Allocator::begin_read() {
  reads_.insert(next_read_);
  return next_read_++;
}

}  // namespace kiseki::chunk::detail
