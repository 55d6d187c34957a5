#pragma once

#include <optional>
#include <thread>
#include <type_traits>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/thread_pool.hpp>

#include "base/clock.h"
#include "base/task.h"

namespace kiseki {

/// One thread with one loop: shards, devices and connections live on exactly one.
class Core {
 public:
  Core();
  /// Joined.
  ~Core();

  asio::io_context& loop() noexcept { return loop_; }
  Executor executor() noexcept { return loop_.get_executor(); }
  Clock& clock() noexcept { return clock_; }

  void start();
  /// Lets the loop run dry, then joins.
  void join();

 private:
  asio::io_context loop_{1};
  SystemClock clock_{loop_};
  std::optional<asio::executor_work_guard<Executor>> work_;
  std::thread thread_;
};

/// A few threads for calls that block (a database read that misses its cache, a directory scan).
/// A coroutine sends the call there and resumes on its own core. With 0 threads the call runs where it is
/// made: a simulation has one thread.
class BlockingPool {
 public:
  explicit BlockingPool(std::size_t threads) : threads_(threads), pool_(threads) {}

  template <class F>
  Task<std::invoke_result_t<F>> run(F call) {
    if (threads_ == 0) co_return call();
    co_return co_await asio::co_spawn(
        pool_,
        [](F body) -> asio::awaitable<std::invoke_result_t<F>, asio::thread_pool::executor_type> {
          co_return body();
        }(std::move(call)),
        use_task);
  }
  void join() { pool_.join(); }

 private:
  std::size_t threads_;
  asio::thread_pool pool_;
};

}  // namespace kiseki
