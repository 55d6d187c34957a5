#include "base/loop_queue.h"

#include <boost/asio/post.hpp>

#include "base/assert.h"
#include "base/loop_signal.h"

namespace kiseki {

namespace {

/// So many run before the loop looks at its sockets and timers again.
constexpr int turn = 256;

/// Loops that are gone: what a thread remembers may be of one of them.
std::atomic<std::uint64_t> deaths = 0;

}  // namespace

/// Stands at the end of the list while the loop is awake.
class LoopQueue::Marker final : public Item {
 public:
  static Marker awake;
  void run() noexcept override { KISEKI_ASSERT(false); }
  void abandon() noexcept override {}
};
LoopQueue::Marker LoopQueue::Marker::awake;

asio::execution_context::id LoopQueue::id;

LoopQueue::LoopQueue(asio::io_context& loop)
    : service(loop),
      loop_(loop.get_executor()),
      signal_(std::make_unique<LoopSignal>(loop, [this] { drain(); })) {}
LoopQueue::~LoopQueue() { deaths.fetch_add(1, std::memory_order_relaxed); }

/// A thread remembers the queues of the loops it works with: the registry of a loop is behind a lock that all
/// cores would want.
LoopQueue& LoopQueue::of(const Executor& loop) {
  struct Memory {
    std::uint64_t deaths = 0;
    std::size_t next = 0;
    std::array<std::pair<asio::io_context*, LoopQueue*>, 16> queues{};
  };
  thread_local Memory memory;
  if (const auto now = deaths.load(std::memory_order_relaxed); now != memory.deaths) memory = {.deaths = now};
  for (const auto& [known, queue] : memory.queues) {
    if (known == &loop.context()) return *queue;
  }
  auto& queue = asio::use_service<LoopQueue>(loop.context());
  memory.queues[memory.next++ % memory.queues.size()] = {&loop.context(), &queue};
  return queue;
}

void LoopQueue::push(Item& item) {
  Item* newest = newest_.load(std::memory_order_relaxed);
  do {
    item.next_ = newest;
  } while (
      !newest_.compare_exchange_weak(newest, &item, std::memory_order_release, std::memory_order_relaxed));
  if (newest == nullptr) wake();
}

void LoopQueue::wake() {
  if (is_shut_down_.load(std::memory_order_relaxed)) return;
  if (loop_.running_in_this_thread()) {
    asio::post(loop_, [this] { drain(); });
  } else {
    signal_->raise();
  }
}

LoopQueue::Item* LoopQueue::take() {
  Item* newest = newest_.exchange(&Marker::awake, std::memory_order_acquire);
  Item* oldest = nullptr;
  while (newest != nullptr && newest != &Marker::awake) {
    Item* const next = newest->next_;
    newest->next_ = oldest;
    oldest = newest;
    newest = next;
  }
  return oldest;
}

void LoopQueue::drain() {
  for (int left = turn; left > 0;) {
    Item* item = take();
    if (item == nullptr) {
      Item* expected = &Marker::awake;
      if (newest_.compare_exchange_strong(expected, nullptr, std::memory_order_acq_rel)) return;
    }
    for (; item != nullptr; --left) {
      Item& one = *item;
      item = item->next_;
      one.run();
    }
  }
  wake();
}

void LoopQueue::shutdown() {
  is_shut_down_ = true;
  signal_.reset();
  while (Item* item = take()) {
    while (item != nullptr) {
      Item& one = *item;
      item = item->next_;
      one.abandon();
    }
  }
}

}  // namespace kiseki
