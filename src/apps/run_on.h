#pragma once

#include <boost/asio/use_future.hpp>

#include "base/core.h"

namespace kiseki::apps {

/// Runs a coroutine on a core and blocks this thread, which is none of the cores', until it is done.
template <class T>
T run_on(Core& core, Task<T> task) {
  return asio::co_spawn(core.executor(), std::move(task), asio::use_future).get();
}

}  // namespace kiseki::apps
