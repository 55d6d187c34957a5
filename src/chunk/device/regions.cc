#include "chunk/device/regions.h"

#include "base/logging.h"
#include "base/metrics.h"
#include "base/planted.h"
#include "kv/off_loop.h"

namespace kiseki::chunk::detail {

namespace {

// A start scans the open regions: so many are read at most.
constexpr std::size_t open_max = 4;
// Retired regions at which a flush begins by itself, so that writers do not have to wait for one.
constexpr std::size_t retired_soft_max = 2;
constexpr Bytes unflushed_soft_max = 32_MiB;
constexpr std::size_t freed_soft_max = 4096;
// Areas looked at for one allocation. Each is an index scan on this core.
constexpr int areas_tried_max = 64;
constexpr int attempts_max = 4;
constexpr Bytes reserve_divisor = 20;  // 5 % are kept for deletes

metrics::Counter flushes("kiseki_device_index_flushes_total", "Flushes of a device's index.");

}  // namespace

Grant::~Grant() {
  if (owner_ != nullptr) owner_->settle(position_, size_);
}

Regions::Regions(Media& media, Superblock superblock, Bytes grow)
    : media_(media),
      superblock_(std::move(superblock)),
      grow_(grow),
      epoch_(superblock_.epoch),
      next_epoch_(superblock_.epoch),
      allocator_(superblock_.geometry, media.index.usage()) {}

/// The reserve is part of what the file has, not of what it may get: the file system may refuse to let it
/// grow.
bool Regions::has_room(Bytes size) const {
  const Bytes whole = present() * geometry().region;
  return media_.index.total().live + allocator_.outstanding() + size <= whole - whole / reserve_divisor;
}

Task<Result<Grant>> Regions::allocate(Bytes size, Purpose purpose) {
  if (size > geometry().region) co_return fail(Errc::too_large, "larger than a region");
  while (true) {
    KISEKI_CO_TRY(media_.health.check());
    if (purpose == Purpose::fragment && !has_room(size)) {
      const auto grown = co_await grow();
      if (!grown) co_return fail(grown.error());
      if (!*grown) co_return fail(Errc::no_space, "the device is full");
      continue;
    }
    if (const auto position = allocator_.take(size)) co_return Grant(*this, *position, size);
    if (opening_) {
      co_await opened_.wait();
      continue;
    }
    opening_ = true;
    auto opened = co_await open_for(size);
    opening_ = false;
    opened_.wake_all();
    KISEKI_CO_TRY(std::move(opened));
  }
}

void Regions::settle(Position position, Bytes size) {
  allocator_.settle(position, size);
  settled_.wake_all();
}

Task<Result<>> Regions::open_for(Bytes size) {
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    if (allocator_.open_regions().size() >= open_max) KISEKI_CO_TRY(co_await reclaim());
    auto found = co_await find_area(size);
    if (!found) co_return fail(std::move(found).error());
    if (*found) co_return co_await open(std::move(**found));
    if (!allocator_.has_active() && allocator_.retired() == 0 && allocator_.freed_waiting() == 0) break;
    allocator_.retire();
    KISEKI_CO_TRY(co_await reclaim());
  }
  co_return fail(Errc::no_space, "no free extent is large enough");
}

Task<Result<std::optional<Regions::Candidate>>> Regions::find_area(Bytes size) {
  bool may_grow = true;
  for (int tried = 0; tried < areas_tried_max; ++tried) {
    const auto area = allocator_.choose(size);
    const bool roomy = area && media_.index.usage()[*area].live <= geometry().region / 2;
    if (!roomy && may_grow) {
      auto grown = co_await grow();
      if (!grown) co_return fail(std::move(grown).error());
      may_grow = *grown;
      if (may_grow) continue;
    }
    if (!area) break;
    // A closed area gets no new fragments, and freed extents wait: what is read stays true.
    auto live = co_await kv::off_loop(media_.pool, [&](kv::Blocking blocking) {
      return media_.index.live_in(geometry().extent_of(*area), blocking);
    });
    if (!live) co_return fail(std::move(live).error());
    auto free = allocator_.free_in(*area, *live);
    if (std::ranges::any_of(free, [size](const Extent& extent) { return extent.length >= size; })) {
      co_return Candidate{*area, std::move(free)};
    }
  }
  co_return std::nullopt;
}

/// False when the capacity, or the file system, gives no more.
Task<Result<bool>> Regions::grow() {
  const Area seen = present();
  const auto turn = co_await growth_turn_.acquire();
  const Area have = present();
  if (have > seen) co_return true;  // another caller was faster
  if (have >= geometry().areas) co_return false;
  const auto step = static_cast<Area>(std::max<Bytes>(grow_ / geometry().region, 1));
  for (Area more = std::min(step, geometry().areas - have); more > 0; more /= 2) {
    const Bytes from = geometry().file_size(have);
    auto allocated = co_await media_.file.allocate(from, geometry().file_size(have + more) - from);
    if (allocated) {
      KISEKI_CO_TRY(co_await keep_growth());
      media_.index.add_areas(have + more);
      allocator_.add_areas();
      growth_refused_ = false;
      co_return true;
    }
    if (allocated.error().code() != Errc::no_space) co_return fail(std::move(allocated).error());
  }
  if (!std::exchange(growth_refused_, true)) {
    log::warning("chunk", "the file system is full: the data file stays at {} bytes", media_.file.size());
  }
  co_return false;
}

/// A power cut must not keep a superblock that speaks of areas and lose the areas.
Task<Result<>> Regions::keep_growth() {
  if (KISEKI_PLANTED("6.4 a region opened beyond what is durable")) co_return Result<>{};
  auto synced = co_await media_.file.sync();
  if (!synced) media_.health.fail_for_good(synced.error());
  co_return synced;
}

Task<Result<>> Regions::open(Candidate candidate) {
  const OpenRegion region{superblock_.next_region, candidate.area};
  KISEKI_CO_TRY(co_await save(region));
  allocator_.open(region, std::move(candidate.free));
  flush_when_due();
  co_return Result<>{};
}

Task<Result<>> Regions::save(std::optional<OpenRegion> opening) {
  const auto turn = co_await superblock_turn_.acquire();
  KISEKI_CO_TRY(media_.health.check());
  Superblock next = superblock_;
  ++next.sequence;
  next.epoch = next_epoch_;
  next.open = allocator_.open_regions();
  if (is_start_confirmed_) next.starts = {next.starts.back()};
  if (opening) {
    next.open.push_back(*opening);
    next.next_region = RegionNumber(opening->number.value() + 1);
  }
  auto written = co_await write_superblock(media_.file, next);
  if (!written) {
    media_.health.fail_for_good(written.error());
    co_return written;
  }
  superblock_ = std::move(next);
  co_return Result<>{};
}

Task<Result<>> Regions::raise_epoch(GcEpoch epoch) {
  next_epoch_ = std::max(next_epoch_, epoch);
  if (KISEKI_PLANTED("6.5 an epoch is acknowledged before it is durable")) {
    epoch_ = next_epoch_;
    co_return Result<>{};
  }
  if (superblock_.epoch < epoch) KISEKI_CO_TRY(co_await save(std::nullopt));
  // Only now: no stamp is above the epoch that a rebuilt index takes for the last put of all it finds.
  epoch_ = std::max(epoch_, superblock_.epoch);
  co_return Result<>{};
}

Task<Result<>> Regions::confirm_start() {
  is_start_confirmed_ = true;
  if (superblock_.starts.size() == 1) co_return Result<>{};
  co_return co_await save(std::nullopt);
}

Task<Result<>> Regions::reclaim() {
  while (!allocator_.retired_are_settled()) co_await settled_.wait();
  co_return co_await flush_index();
}

Task<Result<>> Regions::flush_index() {
  // A flush under way began before what the caller needs covered.
  while (flushing_) co_await flushed_.wait();
  flushing_ = true;
  const auto flush = allocator_.begin_flush();
  const bool skips = KISEKI_PLANTED("6.4 a region closes without an index flush");
  auto result =
      skips ? Result<>{} : co_await media_.pool.run([&store = media_.store] { return store.flush(); });
  flushing_ = false;
  if (result) allocator_.end_flush(flush);
  flushed_.wake_all();
  flushes.add();
  co_return result;
}

void Regions::flush_when_due() {
  const bool due = allocator_.retired() >= retired_soft_max || allocator_.freed_waiting() >= freed_soft_max ||
                   media_.index.unflushed() >= unflushed_soft_max;
  if (!due || background_ || media_.scope.stopping()) return;
  background_ = true;
  media_.scope.spawn(flush_in_background());
}

Task<> Regions::flush_in_background() {
  const auto result = co_await reclaim();
  background_ = false;
  if (!result) log::warning("chunk", "index flush: {}", result.error().to_string());
}

Task<Result<>> Regions::close_all() {
  allocator_.retire();
  KISEKI_CO_TRY(co_await reclaim());
  co_return co_await save(std::nullopt);
}

}  // namespace kiseki::chunk::detail
