#include "base/scope.h"

#include <boost/asio/co_spawn.hpp>

namespace kiseki {

void Scope::spawn(Task<> task) {
  ++running_;
  asio::co_spawn(executor_, std::move(task), [this](const std::exception_ptr& thrown) {
    KISEKI_ASSERT(thrown == nullptr);
    if (--running_ == 0) idle_.set();
  });
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
