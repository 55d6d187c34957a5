#pragma once

#include <optional>
#include <vector>

#include "base/sync.h"
#include "base/task.h"

namespace kiseki::shard::detail {

/// Runs tasks of one core at once; their values in order. They must not throw.
template <class T>
Task<std::vector<T>> gather(Executor executor, std::vector<Task<T>> tasks) {
  std::vector<T> values;
  if (tasks.size() == 1) {
    values.push_back(co_await std::move(tasks.front()));
    co_return values;
  }
  std::vector<std::optional<T>> slots(tasks.size());
  std::size_t left = tasks.size();
  ::kiseki::Event done;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    asio::co_spawn(executor, std::move(tasks[i]), [&, i](const std::exception_ptr& thrown, T value) {
      KISEKI_ASSERT(thrown == nullptr);
      slots[i].emplace(std::move(value));
      if (--left == 0) done.set();
    });
  }
  if (left > 0) co_await done.wait();
  for (auto& slot : slots) values.push_back(std::move(*slot));
  co_return values;
}

}  // namespace kiseki::shard::detail
