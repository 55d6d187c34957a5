#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "base/core.h"
#include "base/rng.h"
#include "chunk/device.h"
#include "disk/disk.h"
#include "kv/kv_store.h"

namespace kiseki::chunk {

struct LocalDeviceOptions {
  std::filesystem::path directory;
  ClusterId cluster{};  ///< A device of another one is refused.
  Bytes capacity = 0;   ///< Of the data file; 0: 80 % of the file system.
  Bytes region = 64_MiB;
  Bytes grow = 1_GiB;           ///< The data file grows in such steps.
  Bytes write_budget = 32_MiB;  ///< Bytes being written at once; more wait.
  Bytes header_cache = 8_MiB;   ///< Memory for tags and checksums of chunks read of late.
};

/// Wraps and unwraps a device's secret under the system key; plugged in by `apps`.
struct SecretWrap {
  std::function<std::string(View context, View secret)> seal;
  std::function<Result<std::string>(View context, View sealed)> open;
};

/// What a device on this machine works with; all of it outlives the device.
struct Machinery {
  disk::Disk& disk;
  kv::KvStore& index;  ///< With the families of `device_index_families()`; of this device alone.
  Rng& rng;
  BlockingPool& pool;
  Executor executor;  ///< Of the core the device lives on.
  Clock& clock;
};

/// A device that is a directory with a data file and an index: formats an empty directory, or opens and
/// recovers, on the device's core. `wrong_format`, `corrupted`, `io_error`.
Task<Result<std::unique_ptr<Device>>> open_local_device(LocalDeviceOptions options, SecretWrap wrap,
                                                        Machinery machinery);
std::vector<std::string> device_index_families();

}  // namespace kiseki::chunk
