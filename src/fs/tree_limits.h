#pragma once

#include <cstddef>

#include "base/clock.h"
#include "shard/record.h"

namespace kiseki::fs {

/// When leaves and index pages of directories are split, and how much is cached of directories. File systems
/// that work on the same namespaces may have different ones; tests have small ones.
struct TreeLimits {
  std::uint64_t entries_split = shard::leaf_entries_split;  ///< At least 2, below `leaf_entries_max`.
  Bytes bytes_split = shard::leaf_bytes_split;
  Bytes move_bytes_max = 2_MiB;    ///< At once; below `Transaction::size_max`.
  Bytes index_page_max = 32_KiB;   ///< Below `Record::size_max`.
  std::size_t cached_max = 16384;  ///< Directories, and names of directories.
  std::size_t leaves_exact = 16;   ///< Attributes of a directory of more leaves may be a little old:
  Duration leaf_age = std::chrono::microseconds(100);  ///< so much for each leaf.
};

}  // namespace kiseki::fs
