#pragma once

#include <vector>

#include "chunk/device/index.h"
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
  Recovery(disk::File& file, Index& index, const crypto::Key256& mac, Geometry geometry)
      : file_(file), index_(index), mac_(mac), geometry_(geometry), window_(file) {}

  /// After a crash: the open regions.
  Task<Result<>> replay(std::vector<OpenRegion> regions);
  /// Without an index: the areas the file has, and whatever region number they hold. Touches may be lost with
  /// the regions that held them, so everything found counts as put in `epoch`, the device's: a round that
  /// began before deletes none of it.
  Task<Result<>> rebuild(Area areas, GcEpoch epoch);

 private:
  /// Nothing: any region number.
  using Wanted = std::optional<RegionNumber>;

  Task<Result<>> scan(Area area, Wanted wanted);
  /// How far the scan moves on.
  Task<Result<Bytes>> examine(Bytes offset, Bytes end, Wanted wanted);
  Result<> take_fragment(const FragmentHeader& header);
  Result<> drop_overlapped(const FragmentKey& key, Extent extent);
  Task<Result<>> apply_journal();
  Result<> apply(const JournalEntry& entry, Position position);

  disk::File& file_;
  Index& index_;
  const crypto::Key256& mac_;
  Geometry geometry_;
  Window window_;
  GcEpoch least_;                      // last put of what is found
  std::vector<Bytes> journal_blocks_;  // offsets
  std::uint64_t fragments_ = 0;
  std::uint64_t torn_ = 0;
};

}  // namespace kiseki::chunk::detail
