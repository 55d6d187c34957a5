#pragma once

#include "chunk/pools/calls.h"
#include "chunk/pools/services.h"

namespace kiseki::chunk::detail {

/// One read of a chunk (PROTOCOLS 8.7): asks for what is wanted; what fails its check, is late or is gone is
/// decoded from any k good fragments of the referenced root, from the current or a previous device.
class ChunkRead {
 public:
  ChunkRead(PoolServices services, PlacedGroup place, ChunkName name, ChunkReference reference);

  /// `unavailable` while a device that may have what is missing has not answered, `not_found` when no
  /// fragment is there, else `corrupted`. Once.
  Task<Result<Blocks>> run(BlockRange blocks);
  /// A bit for each index whose devices answered, and not with good bytes.
  std::uint32_t damaged() const;

 private:
  /// Blocks of one data fragment.
  struct Part {
    std::uint8_t index = 0;
    BlockRange rows;
  };
  struct Slot {
    std::uint8_t index = 0;
    BlockRange rows;
    bool late = false;  ///< Nobody counts on it any more; it is welcome if it comes.
  };

  void split(BlockRange blocks);
  Task<Result<Blocks>> read_copy(BlockRange blocks);
  Task<Result<Blocks>> read_coded();

  void start(std::size_t slot, std::uint8_t index, BlockRange rows);
  /// For one more answer, within the hedge delay: then whatever runs is late. An error when there is nothing
  /// to wait for.
  Task<Result<>> wait();
  bool failed(std::size_t slot) const;
  /// Running, and still counted on.
  bool is_awaited(std::size_t slot) const { return calls_->is_running(slot) && !slots_[slot].late; }
  Blocks* good(std::size_t slot) const;

  bool have_all() const;
  bool is_degraded() const;
  /// The rows of the window that a fragment has.
  BlockRange window_of(std::uint8_t index) const;
  /// The slot that has, or will have, all of these.
  std::optional<std::size_t> covering(std::uint8_t index) const;
  /// Fragments of which the whole window is known, k at most.
  std::vector<std::uint8_t> sources() const;
  /// Starts fragments that stand in for others until enough are there or on their way.
  void start_others(std::size_t wanted);
  View rows_of(std::uint8_t index, BlockRange rows) const;
  Bytes bytes_of(const Part& part) const;
  Blocks joined();
  Task<Result<Blocks>> decode(std::vector<std::uint8_t> sources);
  Task<Result<ChunkDescription>> describe(std::vector<std::uint8_t> indexes);

  PoolServices services_;
  PlacedGroup place_;
  ChunkName name_;
  ChunkReference reference_;
  std::size_t width_;
  std::vector<Part> parts_;
  BlockRange window_;  // the rows of all parts
  std::shared_ptr<Calls<Blocks>> calls_;
  std::vector<Slot> slots_;
  BootTime began_, hedged_;
};

}  // namespace kiseki::chunk::detail
