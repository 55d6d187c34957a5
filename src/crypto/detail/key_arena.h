#pragma once

#include <cstddef>
#include <mutex>

#include "base/units.h"
#include "crypto/secret.h"

namespace kiseki::crypto::detail {

/// Slots for 32-byte keys, in memory that is locked, left out of core dumps and not inherited by a forked
/// child (which faults instead of working with a copy). Where the machine refuses one of these, it warns once
/// and goes on, or refuses to grow where told to. Grows by whole arenas and never shrinks. Safe from any
/// thread.
class KeyArena {
 public:
  static constexpr std::size_t slot_size = 32;
  /// Locked memory is often limited to 8 MiB a process, on old systems to 64 KiB.
  static constexpr Bytes arena_size = 32_KiB;

  /// Never destroyed: keys of static lifetime may outlive any order of destruction.
  static KeyArena& instance();

  /// A zeroed slot.
  std::byte* take();
  /// Zeroes the slot.
  void give_back(std::byte* slot) noexcept;
  KeyMemory memory();
  void refuse_unlocked();

 private:
  struct FreeSlot {
    FreeSlot* next;
  };

  KeyArena() = default;
  void grow();

  std::mutex mutex_;
  FreeSlot* free_ = nullptr;
  Bytes total_ = 0, unlocked_ = 0;
  bool refuses_unlocked_ = false;
};

}  // namespace kiseki::crypto::detail
