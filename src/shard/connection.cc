#include "shard/connection.h"

#include <mutex>

#include "base/crossing.h"
#include "base/logging.h"
#include "base/scope.h"
#include "shard/client/cluster_routes.h"
#include "shard/client/session_keeper.h"

namespace kiseki::shard {

using namespace detail;

namespace {
constexpr Duration look_interval = std::chrono::seconds(1);
}  // namespace

class Connection::State {
 public:
  State(std::uint32_t id, NodeChannel& channel, CoreServices home)
      : home_(home),
        network_(id, channel),
        routes_(network_, *home.clock),
        sessions_(id, routes_.routes(), home, [this](Error error) { set_failure(std::move(error)); }),
        background_(home.executor) {}

  /// What the system shard knows of all.
  Task<Result<>> look() {
    const auto map = co_await SystemMap(routes_.routes()).known();
    if (!map) co_return fail(map.error());
    routes_.take(*map);
    co_return Result<>{};
  }
  void start() {
    sessions_.start();
    background_.spawn(look_around());
  }
  Task<> stop() {
    background_.request_stop();
    sessions_.request_stop();
    co_await sessions_.stop();
    co_await background_.stop();
  }
  Task<Result<std::unique_ptr<Client>>> connect(CoreServices core, std::uint64_t process) {
    return on(home_.executor, sessions_.connect(core, process));
  }
  const Routes& routes() { return routes_.routes(); }
  std::optional<Error> failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
  }

 private:
  Task<> look_around() {
    while (co_await background_.sleep(*home_.clock, look_interval)) {
      const auto looked = co_await look();
      if (!looked) log::debug("shard", "map of the shards: {}", looked.error().to_string());
    }
  }
  void set_failure(Error error) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(error);
  }

  const CoreServices home_;
  RemoteReplicas network_;
  ClusterRoutes routes_;
  SessionKeeper sessions_;
  Scope background_;
  mutable std::mutex mutex_;  // of the failure, which is asked from every core
  std::optional<Error> failure_;
};

Connection::Connection(std::unique_ptr<State> state) : state_(std::move(state)) {}
Connection::~Connection() = default;

Task<Result<std::unique_ptr<Connection>>> Connection::open(std::uint32_t id, NodeChannel& channel,
                                                           CoreServices home) {
  std::unique_ptr<Connection> connection(new Connection(std::make_unique<State>(id, channel, home)));
  KISEKI_CO_TRY(co_await connection->state_->look());
  connection->state_->start();
  co_return connection;
}

Task<Result<std::unique_ptr<Client>>> Connection::connect(CoreServices core, std::uint64_t process) {
  co_return co_await state_->connect(core, process);
}
ChunkReferences Connection::references() const { return ChunkReferences(state_->routes()); }
std::optional<Error> Connection::failure() const { return state_->failure(); }
Task<> Connection::stop() { co_await state_->stop(); }

}  // namespace kiseki::shard
