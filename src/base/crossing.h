#pragma once

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include <boost/asio/executor_work_guard.hpp>

#include "base/detail/away.h"
#include "base/task.h"

// From core to core and back: the caller's frame travels, nothing else is allocated but the frame of a
// coroutine at its goal.

namespace kiseki {

/// Runs `task` on another core and comes back with its value; on this very core it is just the task.
template <class T>
Task<T> on(Executor core, Task<T> task) {
  if (core.running_in_this_thread()) return task;
  return detail::send_away<T>(detail::TaskElsewhere<T>(core, std::move(task)));
}

/// Calls `call`, which does not wait, on another core and comes back with its value.
template <class F>
Task<std::invoke_result_t<F>> call_on(Executor core, F call) {
  using T = std::invoke_result_t<F>;
  if (core.running_in_this_thread()) return detail::call_here(std::move(call));
  return detail::send_away<T>(detail::CallElsewhere<F>(core, std::move(call)));
}

}  // namespace kiseki
