#pragma once

#include "base/sync.h"
#include "base/task.h"

namespace kiseki {

/// Owns background coroutines of one core. `stop` asks them to end and waits until all have.
class Scope {
 public:
  explicit Scope(Executor executor) : executor_(executor) {}
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  /// `stop` has returned, or nothing was ever spawned.
  ~Scope() { KISEKI_ASSERT(running_ == 0); }

  /// `task` ends by itself soon after `stopping()` turns true; it must not throw.
  void spawn(Task<> task);
  bool stopping() const noexcept { return stop_.is_set(); }
  /// Sleeps; false at once when the scope is stopping.
  Task<bool> sleep(Clock& clock, Duration duration);
  /// Asks all to end, without waiting.
  void request_stop() { stop_.set(); }
  Task<> stop();
  Executor executor() const noexcept { return executor_; }

 private:
  struct Entry;
  void end_one();

  Executor executor_;
  Event stop_;
  Event idle_;
  std::size_t running_ = 0;
};

}  // namespace kiseki
