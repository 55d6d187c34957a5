#pragma once

#include "chunk/device/directory_device.h"

namespace kiseki::chunk::detail {

/// Formats or opens, recovers, and hands out a device that is ready.
class Start {
 public:
  Start(LocalDeviceOptions options, SecretWrap wrap, Machinery machinery)
      : options_(std::move(options)), wrap_(std::move(wrap)), machinery_(machinery) {}

  Task<Result<std::unique_ptr<Device>>> run();

 private:
  Task<Result<Geometry>> geometry();
  /// A device takes a larger configured capacity; it never shrinks.
  void widen(Geometry& geometry) const;
  /// Writes the superblocks of a new device under a temporary name and renames it: a file `data` is a device.
  Task<Result<>> format();
  Task<Result<>> write_format(std::filesystem::path path);
  Task<Result<>> recover(Recovered& device);
  /// Draws this start, durable before anything else is.
  Task<Result<>> mark_start(disk::File& file, Superblock& superblock);
  Result<crypto::Key256> unwrap(const Superblock& superblock) const;
  std::filesystem::path data_path() const { return options_.directory / "data"; }

  LocalDeviceOptions options_;
  SecretWrap wrap_;
  Machinery machinery_;
};

}  // namespace kiseki::chunk::detail
