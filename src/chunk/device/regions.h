#pragma once

#include "chunk/device/allocator.h"
#include "chunk/device/media.h"
#include "chunk/device/superblock.h"

namespace kiseki::chunk::detail {

class Regions;

/// Space for one write. Its region stays open until the grant dies: keep it until the index knows of the
/// write.
class Grant {
 public:
  Grant(Regions& owner, Position position, Bytes size) : owner_(&owner), position_(position), size_(size) {}
  Grant(Grant&& other) noexcept
      : owner_(std::exchange(other.owner_, nullptr)), position_(other.position_), size_(other.size_) {}
  Grant& operator=(Grant&&) = delete;
  ~Grant();
  Position position() const noexcept { return position_; }

 private:
  Regions* owner_;
  Position position_;
  Bytes size_;
};

enum class Purpose : std::uint8_t {
  fragment,
  journal,  ///< May use the space kept for deletes.
};

/// Opens and closes regions, grows the data file, flushes the index: everything that decides where the next
/// write goes and has to wait for a disk.
class Regions {
 public:
  Regions(Media& media, Superblock superblock, Bytes grow);

  /// `no_space` when the device is full, `too_large` beyond a region.
  Task<Result<Grant>> allocate(Bytes size, Purpose purpose);
  void settle(Position position, Bytes size);
  /// Begins an index flush in the background when enough waits for one.
  void flush_when_due();

  GcEpoch epoch() const noexcept { return epoch_; }
  /// Durable on return.
  Task<Result<>> raise_epoch(GcEpoch epoch);
  /// Forgets the starts before this one, durably.
  Task<Result<>> confirm_start();
  /// All that the index was told before the call becomes durable.
  Task<Result<>> flush_index();
  /// Closes all regions, so that the next start has nothing to scan.
  Task<Result<>> close_all();

  Allocator& allocator() noexcept { return allocator_; }
  const Geometry& geometry() const noexcept { return superblock_.geometry; }

 private:
  struct Candidate {
    Area area;
    std::vector<Extent> free;
  };
  /// Areas the data file has.
  Area present() const { return geometry().areas_in(media_.file.size()); }
  bool has_room(Bytes size) const;
  Task<Result<>> open_for(Bytes size);
  Task<Result<std::optional<Candidate>>> find_area(Bytes size);
  Task<Result<bool>> grow();
  Task<Result<>> keep_growth();
  Task<Result<>> open(Candidate candidate);
  Task<Result<>> reclaim();
  Task<> flush_in_background();
  Task<Result<>> save(std::optional<OpenRegion> opening);

  Media& media_;
  Superblock superblock_;
  bool is_start_confirmed_ = false;  // the durable one
  Bytes grow_;
  GcEpoch epoch_;       // of writes from now on; durable
  GcEpoch next_epoch_;  // goes into the next superblock
  Allocator allocator_;
  Semaphore superblock_turn_{1};
  Semaphore growth_turn_{1};
  bool growth_refused_ = false;
  bool opening_ = false;
  WaitList opened_;
  WaitList settled_;
  bool flushing_ = false;
  WaitList flushed_;
  bool background_ = false;
};

}  // namespace kiseki::chunk::detail
