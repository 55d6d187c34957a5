#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "disk/disk.h"
#include "raft/log/format.h"

namespace kiseki::raft::detail {

/// One file of the log.
struct Segment {
  std::filesystem::path path;
  std::unique_ptr<disk::File> file;
  std::uint64_t sequence = 0;
  Bytes size = 0;
  std::size_t readers = 0;  ///< While there are some it is not recycled.

  std::string name() const { return path.filename().string(); }
};

std::string segment_file_name(std::uint32_t number);
/// Nothing for files that are not ours.
std::optional<std::uint32_t> parse_segment_file_name(std::string_view name);

/// Durable on return.
Task<Result<>> write_zeros(disk::File& file, Bytes offset, Bytes size);
/// A file of zeros, durable in its directory. `no_space` leaves nothing behind.
Task<Result<std::unique_ptr<Segment>>> create_segment(disk::Disk& disk, std::filesystem::path path,
                                                      Bytes size);
/// From now on the segment is number `sequence` of the log. Durable on return.
Task<Result<>> claim_segment(Segment& segment, std::uint64_t sequence);
/// The file is gone for good on return.
Task<Result<>> remove_segment(disk::Disk& disk, std::unique_ptr<Segment> segment);

/// Reads a segment from front to back through one buffer.
class SegmentWindow {
 public:
  explicit SegmentWindow(disk::File& file) : file_(file) {}
  /// Bytes [offset, offset + size), which lie in the file; offset is a block's. Valid until the next call.
  Task<Result<View>> at(Bytes offset, Bytes size);

 private:
  static constexpr Bytes window = 1_MiB;

  disk::File& file_;
  Buffer buffer_;
  Bytes start_ = 0;
  Bytes length_ = 0;
};

}  // namespace kiseki::raft::detail
