#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/result.h"

namespace kiseki {

namespace asio = boost::asio;

/// The one executor type: a core's loop. Sockets, timers and streams are rebound to it.
using Executor = asio::io_context::executor_type;

/// A coroutine that runs on one core. Parameters go by value or outlive the caller.
template <class T = void>
using Task = asio::awaitable<T, Executor>;

inline constexpr asio::use_awaitable_t<Executor> use_task{};

/// Runs `task` on another core and comes back with its value.
template <class T>
Task<T> on(Executor core, Task<T> task) {
  co_return co_await asio::co_spawn(core, std::move(task), use_task);
}

}  // namespace kiseki
