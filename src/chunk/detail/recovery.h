#pragma once

#include <vector>

#include "chunk/detail/index.h"
#include "disk/disk.h"

namespace kiseki::chunk::detail {

/// Reads forward through a file in large pieces.
class Window {
 public:
  explicit Window(disk::File& file) : file_(file) {}
  /// Bytes [offset, offset + length), both multiples of `unit`, none beyond `end`. Valid until the next call.
  Task<Result<View>> at(Bytes offset, Bytes length, Bytes end);

 private:
  disk::File& file_;
  Buffer buffer_;
  Bytes start_ = 0;
};

/// Brings the index to what the data file proves (docs/formats/device.md, Recovery). Running it again after a
/// crash in the middle gives the same.
class Recovery {
 public:
  struct Parts {
    disk::File& file;
    Index& index;
    const crypto::Key256& mac;
    Geometry geometry;
  };
  explicit Recovery(Parts parts) : parts_(parts), window_(parts.file) {}

  /// After a crash: the open regions.
  Task<Result<>> replay(std::vector<OpenRegion> regions);
  /// Without an index: the areas the file has, and whatever region number they hold.
  Task<Result<>> rebuild(Area areas);

 private:
  /// Nothing: any region number.
  using Wanted = std::optional<RegionNumber>;

  Task<Result<>> scan(Area area, Wanted wanted);
  /// How far the scan moves on.
  Task<Result<Bytes>> examine(Bytes offset, Bytes end, Wanted wanted);
  Result<> take_fragment(const FragmentHeader& header);
  Result<> drop_overlapped(const ChunkId& id, Extent extent);
  Task<Result<>> apply_records();
  Result<> apply(const Record& record, Position position);

  Parts parts_;
  Window window_;
  std::vector<Bytes> record_blocks_;  // offsets
  std::uint64_t fragments_ = 0;
  std::uint64_t torn_ = 0;
};

}  // namespace kiseki::chunk::detail
