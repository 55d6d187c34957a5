#pragma once

#include <filesystem>

#include "base/units.h"

namespace kiseki::bench {

/// Seconds of one core's CPU time of the calling thread.
double thread_seconds();

/// What the machine itself needs for one operation of `size` bytes: microseconds of CPU on one core.
struct Limits {
  double sha256, md5, cipher;
  double sink;  ///< A bare HTTP server on loopback that does nothing with the body.
};
Limits measure(Bytes size, bool put);

/// Median of a 4 KiB overwrite and fdatasync, in microseconds of wall time.
double fdatasync_microseconds(const std::filesystem::path& directory);

}  // namespace kiseki::bench
