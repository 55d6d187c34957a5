#include "base/sync.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>

namespace kiseki {

namespace {

/// Suspends the calling coroutine; `start` gets the function that resumes it with a value, through the loop.
template <class Start>
Task<bool> suspend(Start start) {
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void(bool)>(
      [&start](auto handler) {
        const auto executor = asio::get_associated_executor(handler);
        start([handler = std::move(handler), executor](bool value) mutable {
          asio::post(executor,
                     [handler = std::move(handler), value]() mutable { std::move(handler)(value); });
        });
      },
      use_task);
}

}  // namespace

Task<> WaitList::wait() {
  co_await suspend([this](auto resume) { waiters_.push_back(std::move(resume)); });
}

Task<bool> WaitList::wait_for(Clock& clock, Duration limit) {
  Clock::TimerId timer = 0;
  const bool woken = co_await suspend([&](auto resume) {
    const auto place = waiters_.insert(waiters_.end(), std::move(resume));
    timer = clock.at(clock.now() + limit, [this, place] {
      Resume expired = std::move(*place);
      waiters_.erase(place);
      expired(false);
    });
    // A waker cancels the timer at once, so that it can never fire for an erased place.
    Resume wake = std::move(*place);
    *place = [&clock, &timer, wake = std::move(wake)](bool value) mutable {
      if (value) clock.cancel(timer);
      wake(value);
    };
  });
  co_return woken;
}

void WaitList::wake_one() {
  if (waiters_.empty()) return;
  Resume resume = std::move(waiters_.front());
  waiters_.pop_front();
  resume(true);
}

void WaitList::wake_all() {
  while (!waiters_.empty()) wake_one();
}

void Event::set() {
  set_ = true;
  waiters_.wake_all();
}

Task<> Event::wait() {
  if (!set_) co_await waiters_.wait();
}

Task<bool> Event::wait_for(Clock& clock, Duration limit) {
  if (set_) co_return true;
  co_return co_await waiters_.wait_for(clock, limit);
}

Semaphore::Permit& Semaphore::Permit::operator=(Permit&& other) noexcept {
  if (this != &other) {
    release();
    owner_ = std::exchange(other.owner_, nullptr);
    amount_ = other.amount_;
  }
  return *this;
}

void Semaphore::Permit::release() noexcept {
  if (Semaphore* owner = std::exchange(owner_, nullptr)) owner->give_back(amount_);
}

Task<Semaphore::Permit> Semaphore::acquire(std::uint64_t amount) {
  amount = std::min(amount, total_);
  const std::uint64_t ticket = next_ticket_++;
  queue_.push_back(ticket);
  while (queue_.front() != ticket || available_ < amount) co_await waiters_.wait();
  queue_.pop_front();
  available_ -= amount;
  waiters_.wake_all();
  co_return Permit(*this, amount);
}

Task<std::optional<Semaphore::Permit>> Semaphore::acquire_within(Clock& clock, Duration limit,
                                                                 std::uint64_t amount) {
  amount = std::min(amount, total_);
  const BootTime deadline = clock.now() + limit;
  const std::uint64_t ticket = next_ticket_++;
  queue_.push_back(ticket);
  while (queue_.front() != ticket || available_ < amount) {
    const Duration left = deadline - clock.now();
    if (left > Duration::zero() && co_await waiters_.wait_for(clock, left)) continue;
    if (clock.now() < deadline) continue;
    std::erase(queue_, ticket);
    waiters_.wake_all();
    co_return std::nullopt;
  }
  queue_.pop_front();
  available_ -= amount;
  waiters_.wake_all();
  co_return Permit(*this, amount);
}

void Semaphore::give_back(std::uint64_t amount) noexcept {
  available_ += amount;
  waiters_.wake_all();
}

}  // namespace kiseki
