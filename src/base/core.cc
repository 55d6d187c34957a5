#include "base/core.h"

namespace kiseki {

Core::Core() = default;
Core::~Core() { join(); }

void Core::start() {
  work_.emplace(executor());
  thread_ = std::thread([this] { loop_.run(); });
}

void Core::join() {
  work_.reset();
  if (thread_.joinable()) thread_.join();
}

}  // namespace kiseki
