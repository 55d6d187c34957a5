#pragma once

#include "chunk/detail/local_device.h"

namespace kiseki::chunk::detail {

/// Formats or opens, recovers, and hands out a device that is ready.
class Start {
 public:
  Start(DeviceStore::Options options, DeviceStore::SecretWrap wrap, DeviceStore::Services services)
      : options_(std::move(options)), wrap_(std::move(wrap)), services_(services) {}

  Task<Result<std::unique_ptr<DeviceStore>>> run();

 private:
  Task<Result<Geometry>> geometry();
  /// A device takes a larger configured capacity; it never shrinks.
  void widen(Geometry& geometry) const;
  /// Writes the superblocks of a new device under a temporary name and renames it: a file `data` is a device.
  Task<Result<>> format();
  Task<Result<>> write_format(std::filesystem::path path);
  Task<Result<>> recover(disk::File& file, Index& index, const crypto::Key256& mac,
                         const Superblock& superblock);
  Result<crypto::Key256> unwrap(const Superblock& superblock) const;
  std::filesystem::path data_path() const { return options_.directory / "data"; }

  DeviceStore::Options options_;
  DeviceStore::SecretWrap wrap_;
  DeviceStore::Services services_;
};

}  // namespace kiseki::chunk::detail
