#pragma once

#include <filesystem>
#include <memory>

#include "admin_api/commands.h"
#include "base/clock.h"

namespace kiseki::admin_api {

/// Serves `commands` on the Unix socket of a data directory (docs/formats/admin-socket.md).
class AdminServer {
 public:
  static constexpr Bytes request_max = 64_KiB;

  /// Replaces a socket an earlier process left: the caller holds the directory. `io_error`.
  static Result<std::unique_ptr<AdminServer>> open(const std::filesystem::path& directory, Executor executor,
                                                   Clock& clock, Commands& commands);
  ~AdminServer();

  void start();
  /// Removes the socket.
  Task<> stop();

 private:
  struct State;
  explicit AdminServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kiseki::admin_api
