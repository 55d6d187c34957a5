#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/loop_queue.h"
#include "base/result.h"

namespace kiseki {

/// A coroutine that runs on one core. Parameters go by value or outlive the caller.
template <class T = void>
using Task = asio::awaitable<T, Executor>;

inline constexpr asio::use_awaitable_t<Executor> use_task{};

/// What resumes a suspended `Task` with these values.
template <class... Values>
using Resumption =
    typename asio::async_result<asio::use_awaitable_t<Executor>, void(Values...)>::handler_type;

}  // namespace kiseki
