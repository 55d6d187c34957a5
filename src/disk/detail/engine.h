#pragma once

#include <cstddef>
#include <cstdint>

#include "base/core.h"
#include "base/task.h"
#include "base/units.h"

namespace kiseki::disk::detail {

/// One system call on an open file.
struct Call {
  enum class Kind : std::uint8_t { read, write, sync, allocate };
  Kind kind;
  int fd;
  Bytes offset = 0;
  std::byte* data = nullptr;  ///< Only read from by `write`.
  Bytes length = 0;
};

/// Carries out file calls for one core without blocking it.
class Engine {
 public:
  explicit Engine(std::size_t threads) : pool_(threads) {}
  virtual ~Engine() = default;
  /// What the system call returned: bytes moved or 0, or a negative errno. Short transfers are the caller's
  /// matter.
  virtual Task<int> run(Call call) = 0;

  /// What two calls returned.
  struct Linked {
    int write = 0;
    int sync = 0;  ///< -ECANCELED when the write did not move all it was to.
  };
  virtual Task<Linked> run_linked(Call write, Call sync) = 0;

  /// For calls that block.
  BlockingPool& pool() noexcept { return pool_; }

 private:
  BlockingPool pool_;
};

/// pread, pwrite, fdatasync and fallocate on threads.
class ThreadEngine final : public Engine {
 public:
  ThreadEngine();
  Task<int> run(Call call) override;
  Task<Linked> run_linked(Call write, Call sync) override;
};

}  // namespace kiseki::disk::detail
