#pragma once

#include <functional>
#include <memory>

#include "base/loop_queue.h"

namespace kiseki {

/// An eventfd that a loop watches as long as this lives, without being armed and without being read: a
/// wake-up costs its sender one write and its receiver nothing.
class LoopSignal {
 public:
  /// `action` runs on the loop, once for one or more signals. It neither waits nor throws, and destroys
  /// neither this nor the loop.
  LoopSignal(asio::io_context& loop, std::move_only_function<void()> action);
  ~LoopSignal();
  LoopSignal(const LoopSignal&) = delete;
  LoopSignal& operator=(const LoopSignal&) = delete;

  /// For the kernel to write to.
  int descriptor() const noexcept;
  /// From any thread.
  void raise() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kiseki
