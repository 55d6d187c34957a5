#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/scope.h"
#include "shard/client/session.h"

namespace kiseki::shard::detail {

/// The sessions of one process: opens them, and tells the system shard that they are alive. Belongs to
/// `home`.
class SessionKeeper {
 public:
  static constexpr Duration beat_interval = std::chrono::seconds(1);

  /// `owner` is the node or process among all of the cluster. `on_fenced` is called when a session of it was
  /// fenced by others. `routes` and `home` outlive this.
  SessionKeeper(std::uint64_t owner, const Routes& routes, CoreServices home,
                std::function<void(Error)> on_fenced)
      : owner_(owner),
        routes_(routes),
        home_(home),
        on_fenced_(std::move(on_fenced)),
        background_(home.executor) {}

  /// A new session of `process`; earlier ones of it are fenced. Waits within bounds until shards answer.
  Task<Result<std::unique_ptr<Client>>> connect(CoreServices core, std::uint64_t process);
  void start() { background_.spawn(beat()); }
  void request_stop() { background_.request_stop(); }
  /// Ends the sessions too.
  Task<> stop();

 private:
  struct Connected {
    std::uint64_t process;
    std::unique_ptr<Session> session;
  };
  Task<> beat();
  Task<Result<>> beat_once();

  const std::uint64_t owner_;
  const Routes& routes_;
  const CoreServices home_;
  std::function<void(Error)> on_fenced_;
  std::vector<Connected> connected_;
  Scope background_;
};

}  // namespace kiseki::shard::detail
