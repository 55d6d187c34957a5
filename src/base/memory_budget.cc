#include "base/memory_budget.h"

#include <algorithm>

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

namespace kiseki {

MemoryBudget::Permit& MemoryBudget::Permit::operator=(Permit&& other) noexcept {
  if (this != &other) {
    release();
    owner_ = std::exchange(other.owner_, nullptr);
    use_ = other.use_;
    amount_ = std::exchange(other.amount_, 0);
  }
  return *this;
}

void MemoryBudget::Permit::release() noexcept {
  if (MemoryBudget* owner = std::exchange(owner_, nullptr)) owner->give_back(use_, std::exchange(amount_, 0));
}

bool MemoryBudget::Permit::grow(Bytes more) {
  KISEKI_ASSERT(owner_ != nullptr);
  if (!owner_->take(use_, more)) return false;
  amount_ += more;
  return true;
}

void MemoryBudget::Permit::shrink(Bytes amount) noexcept {
  if (amount >= amount_) return;
  owner_->give_back(use_, std::exchange(amount_, amount) - amount);
}

MemoryBudget::MemoryBudget(Bytes total) {
  for (Share& each : shares_) each.total = each.available = total / 8;
  Share& transfers = share(MemoryUse::transfer);
  transfers.total = transfers.available = total - total / 8 * 3;
}

MemoryBudget::~MemoryBudget() {
  for (const Share& each : shares_) KISEKI_ASSERT(each.waiters.empty());
}

Bytes MemoryBudget::available(MemoryUse use) const {
  const std::lock_guard lock(mutex_);
  return share(use).available;
}

Bytes MemoryBudget::held() const {
  const std::lock_guard lock(mutex_);
  Bytes held = 0;
  for (const Share& each : shares_) held += each.total - each.available;
  return held;
}

bool MemoryBudget::has_waiters(MemoryUse use) const {
  const std::lock_guard lock(mutex_);
  return !share(use).waiters.empty();
}

bool MemoryBudget::take(MemoryUse use, Bytes amount) {
  const std::lock_guard lock(mutex_);
  Share& from = share(use);
  if (!from.waiters.empty() || from.available < amount) return false;
  from.available -= amount;
  return true;
}

std::optional<MemoryBudget::Permit> MemoryBudget::try_acquire(MemoryUse use, Bytes amount) {
  amount = std::min(amount, share(use).total);
  if (!take(use, amount)) return std::nullopt;
  return Permit(*this, use, amount);
}

/// False when the waiter has it already.
bool MemoryBudget::enqueue(MemoryUse use, Waiter& waiter) {
  const std::lock_guard lock(mutex_);
  Share& from = share(use);
  if (from.waiters.empty() && from.available >= waiter.amount) {
    from.available -= waiter.amount;
    waiter.granted = true;
    return false;
  }
  from.waiters.push_back(&waiter);
  return true;
}

/// True when it was still waiting. Those behind it may fit now.
bool MemoryBudget::leave(MemoryUse use, Waiter& waiter) {
  const std::lock_guard lock(mutex_);
  if (waiter.granted) return false;
  share(use).waiters.remove(&waiter);
  grant(share(use));
  return true;
}

void MemoryBudget::give_back(MemoryUse use, Bytes amount) noexcept {
  const std::lock_guard lock(mutex_);
  share(use).available += amount;
  grant(share(use));
}

void MemoryBudget::grant(Share& share) {
  while (!share.waiters.empty() && share.waiters.front()->amount <= share.available) {
    Waiter& waiter = *share.waiters.front();
    share.waiters.pop_front();
    share.available -= waiter.amount;
    waiter.granted = true;
    // Its frame stays until the event is set, which only its own core does.
    asio::post(waiter.executor, [&waiter] { waiter.ready.set(); });
  }
}

Task<std::optional<MemoryBudget::Permit>> MemoryBudget::acquire_within(Clock& clock, Duration limit,
                                                                       MemoryUse use, Bytes amount) {
  amount = std::min(amount, share(use).total);
  if (take(use, amount)) co_return Permit(*this, use, amount);
  Waiter waiter{.executor = co_await asio::this_coro::executor, .amount = amount};
  if (enqueue(use, waiter) && !co_await waiter.ready.wait_for(clock, limit)) {
    if (leave(use, waiter)) co_return std::nullopt;
    co_await waiter.ready.wait();
  }
  co_return Permit(*this, use, amount);
}

}  // namespace kiseki
