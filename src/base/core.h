#pragma once

#include <optional>
#include <thread>
#include <type_traits>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "base/clock.h"
#include "base/crossing.h"
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
    if (threads_ == 0) return detail::call_here(std::move(call));
    return detail::send_away<std::invoke_result_t<F>>(Pooled<F>(pool_, std::move(call)));
  }
  void join() { pool_.join(); }

 private:
  template <class F>
  class Pooled final : public detail::Away<std::invoke_result_t<F>> {
   public:
    Pooled(asio::thread_pool& pool, F call) : pool_(&pool), call_(std::move(call)) {}
    void operator()(typename detail::Resuming<std::invoke_result_t<F>>::Handler handler) {
      this->start(std::move(handler));
      asio::post(*pool_, [this] { this->finish_with(std::move(call_)); });
    }
    void run() noexcept override { this->resume(); }

   private:
    asio::thread_pool* pool_;
    F call_;
  };

  std::size_t threads_;
  asio::thread_pool pool_;
};

}  // namespace kiseki
