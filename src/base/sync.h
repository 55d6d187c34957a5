#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <optional>

#include "base/assert.h"
#include "base/clock.h"
#include "base/task.h"
#include "base/units.h"

// Waiting, for coroutines of one core. Nothing here may be touched from another core.

namespace kiseki {

/// Coroutines waiting for something; each is resumed through the loop, in order of arrival.
class WaitList {
 public:
  WaitList() = default;
  WaitList(const WaitList&) = delete;
  WaitList& operator=(const WaitList&) = delete;
  /// Nobody may be waiting: a coroutine that never resumes leaks what it owns.
  ~WaitList() { KISEKI_ASSERT(waiters_.empty()); }

  Task<> wait();
  /// False when the time ran out first.
  Task<bool> wait_for(Clock& clock, Duration limit);
  void wake_one();
  void wake_all();
  bool empty() const noexcept { return waiters_.empty(); }

 private:
  using Resume = std::move_only_function<void(bool woken)>;
  std::list<Resume> waiters_;
};

/// A flag that coroutines wait for. Stays set until `reset`.
class Event {
 public:
  bool is_set() const noexcept { return set_; }
  void set();
  void reset() noexcept { set_ = false; }
  Task<> wait();
  /// False when the time ran out first.
  Task<bool> wait_for(Clock& clock, Duration limit);

 private:
  bool set_ = false;
  WaitList waiters_;
};

/// One value handed from one coroutine to another, once.
template <class T>
class OneShot {
 public:
  void set(T value) {
    KISEKI_ASSERT(!value_);
    value_.emplace(std::move(value));
    ready_.set();
  }
  bool is_set() const noexcept { return value_.has_value(); }
  Task<T> take() {
    co_await ready_.wait();
    co_return std::move(*value_);
  }

 private:
  std::optional<T> value_;
  Event ready_;
};

/// A bounded amount of something (bytes, slots), handed out in order of arrival.
class Semaphore {
 public:
  /// Gives its amount back when it dies.
  class Permit {
   public:
    Permit() = default;
    Permit(Semaphore& owner, std::uint64_t amount) : owner_(&owner), amount_(amount) {}
    Permit(Permit&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)), amount_(other.amount_) {}
    Permit& operator=(Permit&& other) noexcept;
    ~Permit() { release(); }
    void release() noexcept;
    std::uint64_t amount() const noexcept { return owner_ == nullptr ? 0 : amount_; }

   private:
    Semaphore* owner_ = nullptr;
    std::uint64_t amount_ = 0;
  };

  explicit Semaphore(std::uint64_t amount) : available_(amount), total_(amount) {}

  /// An amount above the whole is treated as the whole, so that it is granted alone.
  Task<Permit> acquire(std::uint64_t amount = 1);
  /// Nothing when the time ran out first: the caller answers `busy`.
  Task<std::optional<Permit>> acquire_within(Clock& clock, Duration limit, std::uint64_t amount = 1);
  std::uint64_t available() const noexcept { return available_; }
  std::uint64_t total() const noexcept { return total_; }

 private:
  void give_back(std::uint64_t amount) noexcept;

  std::uint64_t available_;
  std::uint64_t total_;
  std::deque<std::uint64_t> queue_;  // tickets, oldest first
  std::uint64_t next_ticket_ = 0;
  WaitList waiters_;
};

}  // namespace kiseki
