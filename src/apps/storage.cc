#include "apps/storage.h"

#include <thread>

#include "apps/run_on.h"

namespace kiseki::apps {

namespace {

std::size_t core_count(const Config& config) {
  if (config.cores != 0) return config.cores;
  return std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 16);
}

}  // namespace

Storage::Storage(const Config& config, DataDirectory directory)
    : config_(config), directory_(std::move(directory)) {
  for (std::size_t i = 0; i < core_count(config); ++i) cores_.push_back(std::make_unique<Core>());
}

Storage::~Storage() = default;

Result<> Storage::open(std::array<std::byte, 16> key_fingerprint, chunk::SecretWrap seal) {
  for (auto& core : cores_) core->start();
  KISEKI_TRY(make_disks());
  KISEKI_TRY(run_on(first(), identify(key_fingerprint)));
  KISEKI_TRY(open_stores());
  KISEKI_TRY(run_on(first(), open_log()));
  KISEKI_TRY(run_on(first(), open_shards()));
  return run_on(device_core(), open_device(std::move(seal)));
}

Result<> Storage::make_disks() {
  auto made = disk::make_disk(config_.disk_io, first());
  if (!made) return fail(std::move(made).error().in("disk.io"));
  auto second = disk::make_disk(config_.disk_io, device_core());
  if (!second) return fail(std::move(second).error().in("disk.io"));
  disk_ = std::move(*made);
  device_disk_ = std::move(*second);
  return {};
}

Task<Result<>> Storage::identify(std::array<std::byte, 16> key_fingerprint) {
  if (directory_.marker()) {
    marker_ = *directory_.marker();
    co_return Result<>{};
  }
  rng_.fill(marker_.cluster);
  marker_.key = key_fingerprint;
  co_return co_await disk::replace_whole(*disk_, path(DataDirectory::marker_name), marker_.format());
}

Result<> Storage::open_stores() {
  // Half for blocks read, half for writes that no flush covers yet.
  auto memory = kv::make_memory_budget(config_.store_memory / 2, config_.store_memory / 2);
  auto rows = kv::open_rocksdb({path("shards"), shard::Node::families(), memory});
  if (!rows) return fail(std::move(rows).error().in("shards"));
  auto index = kv::open_rocksdb({path("device-index"), chunk::device_index_families(), memory});
  if (!index) return fail(std::move(index).error().in("device-index"));
  shard_store_ = std::move(*rows);
  device_index_ = std::move(*index);
  return {};
}

Task<Result<>> Storage::open_log() {
  raft::Log::Options options;
  options.directory = path("log");
  auto opened = co_await raft::Log::open(*disk_, first().executor(), first().clock(), std::move(options));
  if (!opened) co_return fail(std::move(opened).error().in("log"));
  log_ = std::move(*opened);
  co_return Result<>{};
}

Task<Result<>> Storage::open_shards() {
  shard::Node::Options options;
  options.cluster = marker_.cluster;
  std::vector<shard::CoreServices> places;
  for (auto& core : cores_) places.push_back({core->executor(), &core->clock()});
  auto opened = co_await shard::Node::open(options, {*shard_store_, *log_, std::move(places), pool_});
  if (!opened) co_return fail(std::move(opened).error().in("shards"));
  shards_ = std::move(*opened);
  co_return Result<>{};
}

Task<Result<>> Storage::open_device(chunk::SecretWrap seal) {
  chunk::LocalDeviceOptions options;
  options.directory = path("device");
  options.cluster = marker_.cluster;
  options.capacity = config_.device_capacity;
  const chunk::Machinery machinery{*device_disk_, *device_index_,           rng_,
                                   pool_,         device_core().executor(), device_core().clock()};
  auto opened = co_await chunk::open_local_device(std::move(options), std::move(seal), machinery);
  if (!opened) co_return fail(std::move(opened).error().in("device"));
  device_ = std::move(*opened);
  chunks_.emplace(*device_);
  co_return Result<>{};
}

void Storage::stop() {
  if (device_) run_on(device_core(), device_->stop());
  if (shards_) run_on(first(), shards_->stop());
  if (log_) run_on(first(), log_->stop());
  for (auto& core : cores_) core->join();
  pool_.join();
}

}  // namespace kiseki::apps
