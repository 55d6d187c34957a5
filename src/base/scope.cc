#include "base/scope.h"

#include <boost/asio/post.hpp>

#include "base/detail/away.h"
#include "base/logging.h"

namespace kiseki {

struct Scope::Entry {
  static detail::EntryPoint carry(Scope& scope, Task<> task) {
    const auto work = asio::make_work_guard(scope.executor_);
    try {
      co_await std::move(task);
    } catch (const std::exception& thrown) {
      log::error("node", "a background task failed: {}", thrown.what());
      KISEKI_ASSERT(false);
    }
    scope.end_one();
  }
};

/// The scope may be gone soon after the last one.
void Scope::end_one() {
  if (--running_ == 0) idle_.set();
}

void Scope::spawn(Task<> task) {
  ++running_;
  if (executor_.running_in_this_thread()) {
    detail::launch(Entry::carry(*this, std::move(task)), executor_);
  } else {
    asio::post(executor_, [this, entry = Entry::carry(*this, std::move(task))]() mutable {
      detail::launch(std::move(entry), executor_);
    });
  }
}

Task<bool> Scope::sleep(Clock& clock, Duration duration) {
  co_return !co_await stop_.wait_for(clock, duration);
}

Task<> Scope::stop() {
  stop_.set();
  while (running_ > 0) {
    idle_.reset();
    co_await idle_.wait();
  }
}

}  // namespace kiseki
