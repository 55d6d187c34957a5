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
  virtual ~Engine() = default;
  /// What the system call returned: bytes moved or 0, or a negative errno. Short transfers are the caller's
  /// matter.
  virtual Task<int> run(Call call) = 0;
};

/// pread, pwrite, fdatasync and fallocate on the threads of a pool.
class ThreadEngine final : public Engine {
 public:
  explicit ThreadEngine(BlockingPool& pool) : pool_(pool) {}
  Task<int> run(Call call) override;

 private:
  BlockingPool& pool_;
};

}  // namespace kiseki::disk::detail
