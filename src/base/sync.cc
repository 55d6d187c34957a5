#include "base/sync.h"

#include <algorithm>

namespace kiseki {

namespace {

class Yielding final : public LoopQueue::Item {
 public:
  void operator()(Resumption<> resumption) {
    LoopQueue& loop = LoopQueue::of(resumption.get_executor());
    resumption_.emplace(std::move(resumption));
    loop.push(*this);
  }
  void run() noexcept override {
    auto resumption = std::move(*resumption_);
    resumption();
  }
  void abandon() noexcept override { auto dropped = std::move(resumption_); }

 private:
  std::optional<Resumption<>> resumption_;
};

}  // namespace

Task<> yield_turn() {
  return asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(Yielding(), use_task);
}

/// Waits as long as it takes.
class WaitList::Patient final : public Waiter {
 public:
  explicit Patient(WaitList& list) : list_(&list) {}
  void operator()(Resumption<> resumption) {
    loop_ = &LoopQueue::of(resumption.get_executor());
    resumption_.emplace(std::move(resumption));
    list_->waiters_.push_back(*this);
  }
  void wake(bool) override { loop_->push(*this); }
  void run() noexcept override {
    auto resumption = std::move(*resumption_);
    resumption();
  }
  void abandon() noexcept override { auto dropped = std::move(resumption_); }

 private:
  WaitList* list_;
  LoopQueue* loop_ = nullptr;
  std::optional<Resumption<>> resumption_;
};

class WaitList::Hurried final : public Waiter {
 public:
  Hurried(WaitList& list, Clock& clock, Duration limit) : list_(&list), clock_(&clock), limit_(limit) {}
  void operator()(Resumption<bool> resumption) {
    loop_ = &LoopQueue::of(resumption.get_executor());
    resumption_.emplace(std::move(resumption));
    list_->waiters_.push_back(*this);
    timer_ = clock_->at(clock_->now() + limit_, [this] {
      unlink();
      loop_->push(*this);
    });
  }
  void wake(bool) override {
    // At once: a timer that fires now would find nobody in the list.
    clock_->cancel(timer_);
    woken_ = true;
    loop_->push(*this);
  }
  void run() noexcept override {
    auto resumption = std::move(*resumption_);
    resumption(woken_);
  }
  void abandon() noexcept override { auto dropped = std::move(resumption_); }

 private:
  WaitList* list_;
  Clock* clock_;
  Duration limit_;
  LoopQueue* loop_ = nullptr;
  std::optional<Resumption<bool>> resumption_;
  Clock::TimerId timer_ = 0;
  bool woken_ = false;
};

Task<> WaitList::wait() {
  return asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(Patient(*this), use_task);
}

Task<bool> WaitList::wait_for(Clock& clock, Duration limit) {
  return asio::async_initiate<const asio::use_awaitable_t<Executor>, void(bool)>(Hurried(*this, clock, limit),
                                                                                 use_task);
}

void WaitList::wake_one() {
  if (waiters_.empty()) return;
  Waiter& waiter = waiters_.front();
  waiters_.pop_front();
  waiter.wake(true);
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

Semaphore::Claim::Claim(Semaphore& semaphore, std::uint64_t wanted)
    : owner(semaphore), amount(std::min(wanted, semaphore.total_)) {
  owner.claims_.push_back(*this);
  owner.grant();
}

Semaphore::Claim::~Claim() {
  if (!is_linked()) return;
  owner.claims_.erase(owner.claims_.iterator_to(*this));
  owner.grant();
}

/// An amount of nothing is granted in its turn too, so a claim is known by its place in the queue.
void Semaphore::grant() {
  while (!claims_.empty() && claims_.front().amount <= available_) {
    Claim& claim = claims_.front();
    claims_.pop_front();
    available_ -= claim.amount;
    claim.granted = Permit(*this, claim.amount);
    claim.ready.wake_one();
  }
}

Task<Semaphore::Permit> Semaphore::acquire(std::uint64_t amount) {
  Claim claim(*this, amount);
  if (claim.is_linked()) co_await claim.ready.wait();
  co_return std::move(claim.granted);
}

Task<std::optional<Semaphore::Permit>> Semaphore::acquire_within(Clock& clock, Duration limit,
                                                                 std::uint64_t amount) {
  Claim claim(*this, amount);
  if (claim.is_linked()) co_await claim.ready.wait_for(clock, limit);
  if (claim.is_linked()) co_return std::nullopt;
  co_return std::move(claim.granted);
}

std::optional<Semaphore::Permit> Semaphore::try_acquire(std::uint64_t amount) {
  amount = std::min(amount, total_);
  if (!claims_.empty() || available_ < amount) return std::nullopt;
  available_ -= amount;
  return Permit(*this, amount);
}

void Semaphore::give_back(std::uint64_t amount) noexcept {
  available_ += amount;
  grant();
}

}  // namespace kiseki
