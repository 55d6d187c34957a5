#pragma once

#include <deque>
#include <liburing.h>
#include <memory>

#include "base/loop_signal.h"
#include "base/result.h"
#include "base/sync.h"
#include "disk/detail/engine.h"

namespace kiseki::disk::detail {

/// io_uring of one core. Calls made in one turn of the loop are submitted together at its end; completions
/// arrive through an eventfd that the loop watches; who waits for them keeps the loop from running dry.
class Ring final : public Engine {
 public:
  /// `not_supported` when the kernel refuses a ring or lacks one of our operations.
  static Result<std::unique_ptr<Ring>> open(Executor executor);
  ~Ring() override;

  Task<int> run(Call call) override;
  Task<Linked> run_linked(Call write, Call sync) override;

 private:
  /// What the kernel answers, once: for a chain that its first call ends, only of that.
  struct Completion {
    int result = 0;
    bool is_of_first = false;
  };
  /// Lives in the frame of its caller until the kernel has answered.
  struct Pending {
    Call call;
    const Call* then = nullptr;  ///< Begun when `call` has moved all it was to.
    OneShot<Completion> result;

    unsigned entries() const noexcept { return then == nullptr ? 1 : 2; }
  };
  static constexpr unsigned depth = 256;

  explicit Ring(Executor executor);
  Result<> set_up();
  Task<Completion> submit_and_wait(Pending& pending);
  void prepare(Pending& pending);
  void schedule_submit();
  void submit();
  void reap();

  /// Behind what else this turn of the loop brings.
  class Submission final : public LoopQueue::Item {
   public:
    explicit Submission(Ring& ring) : ring_(ring) {}
    void run() noexcept override { ring_.submit(); }
    void abandon() noexcept override {}

   private:
    Ring& ring_;
  };

  LoopQueue& queue_;
  LoopSignal completed_;
  Submission submission_{*this};
  io_uring ring_{};
  bool ready_ = false;
  std::deque<Pending*> waiting_;
  unsigned in_flight_ = 0;  // prepared and not answered; ≤ depth, so the completion queue cannot overflow
  bool links_ = false;      // a chain is answered once
  bool has_chain_ = false;  // among what is prepared and not submitted
  bool submit_scheduled_ = false;
};

}  // namespace kiseki::disk::detail
