#pragma once

#include <atomic>
#include <memory>

#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>

namespace kiseki {

namespace asio = boost::asio;

/// The one executor type: a core's loop. Sockets, timers and streams are rebound to it.
using Executor = asio::io_context::executor_type;

class LoopSignal;

/// What a loop is to run next, pushed from any thread, without allocation.
///
/// Everything that comes while the queue is not empty shares one wake-up of the loop, and what is pushed by
/// what runs is run in the same turn: a chain of coroutines costs one look at the sockets, not one a link.
class LoopQueue final : public asio::execution_context::service {
 public:
  /// Stays where it is from `push` until it has run or was abandoned, once for each push.
  class Item {
   public:
    virtual void run() noexcept = 0;
    /// The loop is gone.
    virtual void abandon() noexcept = 0;

   protected:
    Item() = default;
    Item(const Item&) noexcept {}
    Item& operator=(const Item&) = delete;
    ~Item() = default;

   private:
    friend class LoopQueue;
    Item* next_ = nullptr;
  };

  using key_type = LoopQueue;
  static asio::execution_context::id id;
  explicit LoopQueue(asio::io_context& loop);
  ~LoopQueue() override;

  static LoopQueue& of(const Executor& loop);
  void push(Item& item);

 private:
  class Marker;
  void shutdown() override;
  void wake();
  void drain();
  /// Those pushed since the last call, oldest first; the queue stays marked as about to be drained.
  Item* take();

  Executor loop_;
  std::unique_ptr<LoopSignal> signal_;   // gone when the loop shuts down
  std::atomic<Item*> newest_ = nullptr;  // null: asleep
  std::atomic<bool> is_shut_down_ = false;
};

}  // namespace kiseki
