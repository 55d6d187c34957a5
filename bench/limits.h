#pragma once

#include <filesystem>

#include "base/units.h"

namespace kiseki::bench {

/// Seconds of one core's CPU time of the calling thread.
double thread_seconds();

/// Passes over the bytes of one body, as microseconds of CPU on one core.
struct PassTimes {
  double hashes;  ///< MD5 and SHA-256 of one stream.
  double cipher;
};
PassTimes measure_passes(Bytes size);

/// Opening so many sealed records, as a listing of so many names has to: microseconds of CPU on one core.
double records_microseconds(std::size_t count);

/// What a bare HTTP server on loopback does with a body.
enum class Sink : std::uint8_t { receives, sends };
/// Its CPU time for one request.
double sink_microseconds(Sink sink, Bytes size);

/// Median of a 4 KiB overwrite and fdatasync, in microseconds of wall time.
double fdatasync_microseconds(const std::filesystem::path& directory);

}  // namespace kiseki::bench
