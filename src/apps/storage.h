#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "apps/config.h"
#include "apps/data_directory.h"
#include "base/core.h"
#include "base/rng.h"
#include "chunk/local_device.h"
#include "chunk/single_device_store.h"
#include "disk/disk.h"
#include "keys/keys.h"
#include "kv/kv_store.h"
#include "raft/log.h"
#include "shard/node.h"

namespace kiseki::apps {

/// The blind half of a node: log, shards and device on a data directory that this process holds, over the
/// cores that everything runs on.
class Storage {
 public:
  Storage(const Config& config, DataDirectory directory);
  /// Stopped, or never opened.
  ~Storage();

  /// `seal` wraps secrets under the key file's system key, on the device's core. Writes the marker at a first
  /// start.
  Result<> open(std::array<std::byte, 16> key_fingerprint, chunk::SecretWrap seal);
  void stop();

  const DataDirectory& directory() const noexcept { return directory_; }
  std::vector<std::unique_ptr<Core>>& cores() noexcept { return cores_; }
  /// The log, the system shard and the administrator live here.
  Core& first() noexcept { return *cores_.front(); }
  disk::Disk& disk() noexcept { return *disk_; }
  shard::Node& shards() noexcept { return *shards_; }
  chunk::Device& device() noexcept { return *device_; }
  chunk::ChunkStore& chunks() noexcept { return *chunks_; }
  const raft::Log& log() const noexcept { return *log_; }
  std::filesystem::path path(std::string_view name) const { return directory_.path() / name; }

 private:
  Core& device_core() noexcept { return *cores_.back(); }
  Result<> make_disks();
  Result<> open_stores();
  Task<Result<>> identify(std::array<std::byte, 16> key_fingerprint);
  Task<Result<>> open_log();
  Task<Result<>> open_shards();
  Task<Result<>> open_device(chunk::SecretWrap seal);

  // In the order they are made; each outlives those below it.
  const Config& config_;
  DataDirectory directory_;
  Marker marker_;
  SystemRng rng_;
  std::vector<std::unique_ptr<Core>> cores_;
  BlockingPool pool_{4};
  std::unique_ptr<disk::Disk> disk_, device_disk_;
  std::unique_ptr<kv::KvStore> shard_store_, device_index_;
  std::unique_ptr<raft::Log> log_;
  std::unique_ptr<shard::Node> shards_;
  std::unique_ptr<chunk::Device> device_;
  std::optional<chunk::SingleDeviceStore> chunks_;
};

}  // namespace kiseki::apps
