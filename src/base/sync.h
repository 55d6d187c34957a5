#pragma once

#include <cstddef>
#include <optional>

#include <boost/intrusive/list.hpp>

#include "base/assert.h"
#include "base/clock.h"
#include "base/task.h"
#include "base/units.h"

// Waiting, for coroutines of one core. Nothing here may be touched from another core.

namespace kiseki {

/// Lets what is ready on this loop run first, without a look at its sockets.
Task<> yield_turn();

/// Coroutines waiting for something; each is resumed through the queue of its loop, in order of arrival.
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
  using Link = boost::intrusive::link_mode<boost::intrusive::auto_unlink>;
  /// A suspended coroutine, in its own frame.
  class Waiter : public LoopQueue::Item, public boost::intrusive::list_base_hook<Link> {
   public:
    virtual void wake(bool woken) = 0;

   protected:
    ~Waiter() = default;
  };
  class Patient;
  class Hurried;

  boost::intrusive::list<Waiter, boost::intrusive::constant_time_size<false>> waiters_;
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

/// A bounded amount of something (bytes, slots), handed out in order of arrival: a release wakes those whose
/// turn it is and who fit, and nobody else.
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
  /// Nothing when it would have to wait.
  std::optional<Permit> try_acquire(std::uint64_t amount = 1);
  std::uint64_t available() const noexcept { return available_; }
  std::uint64_t total() const noexcept { return total_; }
  bool has_waiters() const noexcept { return !claims_.empty(); }

 private:
  /// One caller's place in the queue, in its frame; gone in time or taken, whatever becomes of the frame.
  class Claim : public boost::intrusive::list_base_hook<> {
   public:
    Claim(Semaphore& owner, std::uint64_t amount);
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;
    ~Claim();

    Semaphore& owner;
    const std::uint64_t amount;
    Permit granted{};
    WaitList ready{};
  };
  void give_back(std::uint64_t amount) noexcept;
  void grant();

  std::uint64_t available_;
  std::uint64_t total_;
  boost::intrusive::list<Claim> claims_;  // oldest first
};

}  // namespace kiseki
