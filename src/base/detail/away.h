#pragma once

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include <boost/asio/executor_work_guard.hpp>

#include "base/guarded.h"
#include "base/task.h"

// How a call is away from its core. Asio offers `co_spawn` for it, which takes a frame more, two counted
// guards and up to two more turns of the loop; `launch` is what lies beneath it in Boost 1.81.

namespace kiseki::detail {

using EntryPoint = asio::awaitable<asio::detail::awaitable_thread_entry_point, Executor>;

/// Starts a coroutine on the loop that this thread runs.
inline void launch(EntryPoint entry, const Executor& loop) {
  asio::detail::awaitable_handler<Executor, void>(std::move(entry), loop, {}, {}).launch();
}

template <class T>
struct Resuming {
  using Value = T;
  using Handler = Resumption<std::exception_ptr, T>;
  using Signature = void(std::exception_ptr, T);
  static void with(Handler handler, std::exception_ptr thrown, std::optional<Value> value) {
    handler(std::move(thrown), value ? std::move(*value) : T());
  }
};
template <>
struct Resuming<void> {
  using Value = std::monostate;
  using Handler = Resumption<std::exception_ptr>;
  using Signature = void(std::exception_ptr);
  static void with(Handler handler, std::exception_ptr thrown, std::optional<Value>) {
    handler(std::move(thrown));
  }
};

/// A call that is away, in the frame of the coroutine that waits for its value: an item of the queue of its
/// goal on the way out, of its home on the way back.
template <class T>
class Away : public LoopQueue::Item {
 public:
  using Value = typename Resuming<T>::Value;

  /// On the way; at home.
  void start(typename Resuming<T>::Handler handler) {
    home_ = &LoopQueue::of(handler.get_executor());
    handler_.emplace(std::move(handler));
  }
  /// Elsewhere: what `call` gives is the value. This may be gone on return.
  template <class F>
  void finish_with(F&& call) {
    try {
      if constexpr (std::is_void_v<T>) {
        std::forward<F>(call)();
        value_.emplace();
      } else {
        value_.emplace(std::forward<F>(call)());
      }
    } catch (...) {
      note_exception();
    }
    come_back();
  }
  /// In a handler.
  void note_exception() {
    try {
      throw;
    } catch (const std::bad_alloc&) {
      if constexpr (std::is_constructible_v<Value, std::unexpected<Error>>) {
        value_.emplace(kiseki::fail(out_of_memory()));
        return;
      }
      thrown_ = std::current_exception();
    } catch (...) {
      thrown_ = std::current_exception();
    }
  }
  void finish(Value value) {
    value_.emplace(std::move(value));
    come_back();
  }
  void come_back() {
    is_back_ = true;
    home_->push(*this);
  }
  void abandon() noexcept final { auto handler = std::move(handler_); }

 protected:
  bool is_back() const { return is_back_; }
  /// At home. This is gone on return.
  void resume() {
    auto handler = std::move(*handler_);
    Resuming<T>::with(std::move(handler), std::move(thrown_), std::move(value_));
  }

 private:
  LoopQueue* home_ = nullptr;
  std::optional<typename Resuming<T>::Handler> handler_;
  std::optional<Value> value_;
  std::exception_ptr thrown_;
  bool is_back_ = false;
};

template <class F>
class CallElsewhere final : public Away<std::invoke_result_t<F>> {
 public:
  CallElsewhere(Executor goal, F call) : goal_(goal), call_(std::move(call)) {}
  void operator()(typename Resuming<std::invoke_result_t<F>>::Handler handler) {
    this->start(std::move(handler));
    LoopQueue::of(goal_).push(*this);
  }
  void run() noexcept override {
    if (this->is_back()) return this->resume();
    this->finish_with(std::move(call_));
  }

 private:
  Executor goal_;
  F call_;
};

template <class T>
class TaskElsewhere final : public Away<T> {
 public:
  TaskElsewhere(Executor goal, Task<T> task) : goal_(goal), task_(std::move(task)) {}
  void operator()(typename Resuming<T>::Handler handler) {
    this->start(std::move(handler));
    LoopQueue::of(goal_).push(*this);
  }
  void run() noexcept override {
    if (this->is_back()) return this->resume();
    launch(carry(*this, std::move(task_)), goal_);
  }

 private:
  static EntryPoint carry(TaskElsewhere& away, Task<T> task) {
    const auto work = asio::make_work_guard(away.goal_);
    try {
      if constexpr (std::is_void_v<T>) {
        co_await std::move(task);
        away.finish({});
      } else {
        away.finish(co_await std::move(task));
      }
      co_return;
    } catch (...) {
      away.note_exception();
    }
    away.come_back();
  }

  Executor goal_;
  Task<T> task_;
};

template <class T, class Elsewhere>
Task<T> send_away(Elsewhere elsewhere) {
  return asio::async_initiate<const asio::use_awaitable_t<Executor>, typename Resuming<T>::Signature>(
      std::move(elsewhere), use_task);
}

template <class F>
Task<std::invoke_result_t<F>> call_here(F call) {
  co_return call();
}

}  // namespace kiseki::detail
