#include "crypto/detail/key_arena.h"

#include <cerrno>
#include <cstring>
#include <new>
#include <sys/mman.h>

#include "base/assert.h"
#include "base/logging.h"
#include "base/metrics.h"
#include "crypto/secret.h"

namespace kiseki::crypto::detail {
namespace {

/// Each protection is refused for all arenas alike, or from a limit on: one line says it.
void warn_once(bool& warned, std::string_view words, int error) {
  if (!warned) log::warning("crypto", "{}: {}", words, std::strerror(error));
  warned = true;
}

metrics::Gauge unlocked_bytes("kiseki_keys_unlocked_bytes",
                              "Key memory that the machine did not lock: it may be swapped out.");

/// Called with the arena's mutex held. Whether the memory is locked.
bool protect(void* memory, std::size_t size) {
  static bool warned_lock = false;
  static bool warned_dump = false;
  static bool warned_fork = false;
  const bool is_locked = ::mlock(memory, size) == 0;
  if (!is_locked) {
    warn_once(warned_lock,
              "KEYS ARE NOT LOCKED IN MEMORY AND MAY BE SWAPPED OUT; raise RLIMIT_MEMLOCK (LimitMEMLOCK= of "
              "systemd)",
              errno);
  }
  if (::madvise(memory, size, MADV_DONTDUMP) != 0) {
    warn_once(warned_dump, "keys cannot be kept out of core dumps; disable core dumps", errno);
  }
  if (::madvise(memory, size, MADV_DONTFORK) != 0) {
    warn_once(warned_fork, "keys cannot be kept out of forked processes", errno);
  }
  return is_locked;
}

}  // namespace

KeyArena& KeyArena::instance() {
  static auto* const arena = new KeyArena;
  return *arena;
}

std::byte* KeyArena::take() {
  const std::lock_guard lock(mutex_);
  if (free_ == nullptr) grow();
  FreeSlot* const slot = free_;
  free_ = slot->next;
  std::memset(static_cast<void*>(slot), 0, slot_size);
  return reinterpret_cast<std::byte*>(slot);
}

void KeyArena::give_back(std::byte* slot) noexcept {
  wipe({slot, slot_size});
  const std::lock_guard lock(mutex_);
  free_ = new (slot) FreeSlot{free_};
}

KeyMemory KeyArena::memory() {
  const std::lock_guard lock(mutex_);
  return {.total = total_, .unlocked = unlocked_};
}

void KeyArena::refuse_unlocked() {
  const std::lock_guard lock(mutex_);
  refuses_unlocked_ = true;
}

void KeyArena::grow() {
  void* const memory =
      ::mmap(nullptr, arena_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  if (!protect(memory, arena_size)) {
    if (refuses_unlocked_) {
      ::munmap(memory, arena_size);
      throw std::bad_alloc();
    }
    unlocked_ += arena_size;
    unlocked_bytes.set(static_cast<std::int64_t>(unlocked_));
  }
  total_ += arena_size;
  auto* const first = static_cast<std::byte*>(memory);
  for (std::size_t offset = arena_size; offset > 0; offset -= slot_size) {
    free_ = new (first + offset - slot_size) FreeSlot{free_};
  }
}

}  // namespace kiseki::crypto::detail
