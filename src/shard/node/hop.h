#pragma once

#include <boost/asio/this_coro.hpp>

#include "base/crossing.h"

namespace kiseki::shard::detail {

/// Runs `task` on `home`: at once when that is here.
template <class T>
Task<T> hop(Executor home, Task<T> task) {
  if (co_await asio::this_coro::executor == home) co_return co_await std::move(task);
  co_return co_await on(home, std::move(task));
}

}  // namespace kiseki::shard::detail
