#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/scope.h"

namespace kiseki::chunk::detail {

/// Calls that run side by side, of which the caller need not await all. Of one core.
/// Shared: the caller, and the calls that outlive its interest.
template <class T>
class Calls : public std::enable_shared_from_this<Calls<T>> {
 public:
  static std::shared_ptr<Calls> make(Scope& scope, std::size_t slots) {
    return std::shared_ptr<Calls>(new Calls(scope, slots));
  }

  /// Each slot once. The task refers only to what outlives the scope.
  void start(std::size_t slot, Task<Result<T>> task) {
    slots_[slot].started = true;
    scope_.spawn(run(this->shared_from_this(), slot, std::move(task)));
  }
  bool is_started(std::size_t slot) const { return slots_[slot].started; }
  bool is_running(std::size_t slot) const { return slots_[slot].started && !slots_[slot].reply; }
  /// Nothing while it runs, or when it was never started.
  std::optional<Result<T>>& reply(std::size_t slot) { return slots_[slot].reply; }
  std::size_t size() const noexcept { return slots_.size(); }
  std::size_t running() const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < slots_.size(); ++i) count += is_running(i) ? 1 : 0;
    return count;
  }

  /// Until one more has ended; false when the time ran out first.
  Task<bool> next(Clock& clock, Duration limit) { return ended_.wait_for(clock, limit); }

 private:
  struct Slot {
    bool started = false;
    std::optional<Result<T>> reply;
  };

  Calls(Scope& scope, std::size_t slots) : scope_(scope), slots_(slots) {}

  static Task<> run(std::shared_ptr<Calls> self, std::size_t slot, Task<Result<T>> task) {
    self->slots_[slot].reply = co_await std::move(task);
    self->ended_.wake_all();
  }

  Scope& scope_;
  std::vector<Slot> slots_;
  WaitList ended_;
};

}  // namespace kiseki::chunk::detail
