#pragma once

#include <array>
#include <list>
#include <mutex>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/sync.h"
#include "base/units.h"

namespace kiseki {

/// What memory is for. Each use has a share of its own and never waits for another.
enum class MemoryUse : std::uint8_t {
  prompt,    ///< Work that waits for no peer while it holds the memory: an eighth.
  document,  ///< Whole documents and pages of listings: an eighth.
  slow,      ///< Bodies of peers that were found slow: an eighth.
  transfer,  ///< All other bodies, filled and emptied at a peer's pace: the rest.
};

/// Memory of a process for data on its way, in order of arrival. Usable from every core.
///
/// Who holds a permit never waits for another of the same use, so that those who wait hold nothing and those
/// who hold go on: `acquire_within` comes first and `grow` says no instead of waiting.
class MemoryBudget {
 public:
  /// Gives its amount back when it dies. One core at a time.
  class Permit {
   public:
    Permit() = default;
    Permit(Permit&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)),
          use_(other.use_),
          amount_(std::exchange(other.amount_, 0)) {}
    Permit& operator=(Permit&& other) noexcept;
    ~Permit() { release(); }
    void release() noexcept;
    /// False when it would have to wait; nothing is taken then.
    bool grow(Bytes more);
    /// Keeps `amount` of it.
    void shrink(Bytes amount) noexcept;
    Bytes amount() const noexcept { return amount_; }
    explicit operator bool() const noexcept { return owner_ != nullptr; }

   private:
    friend class MemoryBudget;
    Permit(MemoryBudget& owner, MemoryUse use, Bytes amount) : owner_(&owner), use_(use), amount_(amount) {}

    MemoryBudget* owner_ = nullptr;
    MemoryUse use_ = MemoryUse::prompt;
    Bytes amount_ = 0;
  };

  explicit MemoryBudget(Bytes total);
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;
  /// Nobody waits, and permits are gone.
  ~MemoryBudget();

  /// An amount above the share is treated as the whole share, so that it is granted alone. Nothing when
  /// `limit` passed first: the caller answers `busy`.
  Task<std::optional<Permit>> acquire_within(Clock& clock, Duration limit, MemoryUse use, Bytes amount);
  /// Nothing when it would have to wait.
  std::optional<Permit> try_acquire(MemoryUse use, Bytes amount);

  Bytes total(MemoryUse use) const noexcept { return share(use).total; }
  Bytes available(MemoryUse use) const;
  /// Of all uses.
  Bytes held() const;
  /// Whether somebody waits: who can do with less gives some back.
  bool has_waiters(MemoryUse use) const;

 private:
  /// Somebody who waits, in his frame.
  struct Waiter {
    Executor executor;
    Bytes amount;
    bool granted = false;
    Event ready{};
  };
  struct Share {
    Bytes total = 0, available = 0;
    std::list<Waiter*> waiters{};  // oldest first
  };

  Share& share(MemoryUse use) noexcept { return shares_[static_cast<std::size_t>(use)]; }
  const Share& share(MemoryUse use) const noexcept { return shares_[static_cast<std::size_t>(use)]; }
  bool take(MemoryUse use, Bytes amount);
  bool enqueue(MemoryUse use, Waiter& waiter);
  bool leave(MemoryUse use, Waiter& waiter);
  void give_back(MemoryUse use, Bytes amount) noexcept;
  static void grant(Share& share);

  mutable std::mutex mutex_;  // of the shares; held for a few instructions
  std::array<Share, 4> shares_;
};

}  // namespace kiseki
