#pragma once

#include <new>

#include "base/task.h"

namespace kiseki {

/// An allocation that failed in one request; it is counted.
Error out_of_memory();

/// Turns a failed allocation in `task` into `busy`: what one request cannot get ends that request and not the
/// process. Crossings (`on`, `BlockingPool::run`) do it by themselves for what returns a `Result`.
template <class T>
Task<Result<T>> guarded(Task<Result<T>> task) {
  try {
    co_return co_await std::move(task);
  } catch (const std::bad_alloc&) {
    co_return fail(out_of_memory());
  }
}

}  // namespace kiseki
