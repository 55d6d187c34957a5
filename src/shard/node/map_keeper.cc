#include "shard/node/map_keeper.h"

#include "base/logging.h"

namespace kiseki::shard::detail {

namespace {

constexpr Duration look_interval = std::chrono::seconds(1);
/// Between two looks around, however much changes.
constexpr Duration look_pause = std::chrono::milliseconds(50);
constexpr Duration split_limit = std::chrono::seconds(30);

}  // namespace

MapKeeper::MapKeeper(Services services) : services_(std::move(services)) {
  if (!is_alone()) cluster_ = std::make_unique<ClusterRoutes>(*services_.network, services_.clock);
}

Task<Result<>> MapKeeper::open() {
  const auto coverage = co_await services_.replicas.coverage();
  if (is_alone() && coverage.missing()) {
    co_return fail(Errc::corrupted, "the shards here do not have all slots");
  }
  co_await services_.replicas.survey(map_);
  take_routes();
  if (is_alone()) KISEKI_CO_TRY(co_await SystemMap(routes()).join(map_));
  co_return Result<>{};
}

void MapKeeper::take_routes() {
  if (cluster_) return cluster_->take(map_);
  std::vector<Route> routes;
  for (const auto& [id, range] : map_.shards) {
    routes.push_back({.id = id, .range = range, .port = services_.replicas.port(id)});
  }
  if (own_) {
    own_->replace(std::move(routes));
  } else {
    own_ = std::make_unique<Routes>(std::move(routes));
  }
}

Task<> MapKeeper::look_around() {
  bool is_done = is_alone();
  while (true) {
    if (is_done) {
      co_await services_.changed->wait();
    } else {
      co_await services_.changed->wait_for(services_.clock, look_interval);
    }
    if (services_.scope.stopping()) co_return;
    services_.changed->reset();
    const auto looked = co_await look_once();
    is_done = looked.has_value();
    if (!looked) log::debug("shard", "shards of this node: {}", looked.error().to_string());
    if (!co_await services_.scope.sleep(services_.clock, look_pause)) co_return;
  }
}

Task<Result<>> MapKeeper::look_once() {
  if (auto followed = co_await services_.replicas.follow(); !followed) {
    // A shard that does not open, or a replica that does not go, is not passed over.
    if (followed.error().code() != Errc::no_space) services_.fail(followed.error());
    co_return followed;
  }
  co_await services_.replicas.survey(map_);
  take_routes();
  if (!is_alone()) KISEKI_CO_TRY(co_await look_at_peers());
  co_return Result<>{};
}

Task<Result<>> MapKeeper::look_at_peers() {
  auto joined = co_await SystemMap(routes()).join(map_);
  if (!joined) co_return fail(std::move(joined).error());
  // A split here may have added to it meanwhile.
  map_.add(*joined);
  take_routes();
  KISEKI_CO_TRY(co_await services_.replicas.begin_wanted(map_));
  // Shards that lie only elsewhere are learnt from the system shard alone.
  const auto coverage = co_await services_.replicas.coverage();
  if (coverage.missing()) co_return fail(Errc::not_found, "not every shard has a replica here");
  co_return Result<>{};
}

Task<Result<ShardId>> MapKeeper::split(ShardId shard, Slot first) {
  const auto route = routes().find(shard);
  if (!route) co_return fail(Errc::not_found, "split: no such shard");
  if (!route->range.contains(first) || first == route->range.first) {
    co_return fail(Errc::invalid_argument, "split: not between two slots of the shard");
  }
  const auto child = co_await SystemMap(routes()).allocate(map_);
  if (!child) co_return child;
  const auto answer = co_await route->port->ask(
      ProposeRequest({.stamp = {}, .body = Split{.child = *child, .first = first}}));
  if (!answer) co_return fail(answer.error());
  if (answer->type == Answer::Type::wrong_shard) co_return fail(Errc::conflict, "split: another was first");
  if (answer->type != Answer::Type::decided) co_return fail(Errc::busy, "split: the replicas are changing");
  if (is_alone()) KISEKI_CO_TRY(co_await await_child(*child));
  map_.add(*child, first);
  take_routes();
  const auto recorded = co_await SystemMap(routes()).join(map_);
  // Whoever was first will be followed by others who join what they know; the split stands.
  if (!recorded) services_.changed->set();
  co_return *child;
}

Task<Result<>> MapKeeper::await_child(ShardId child) {
  const BootTime deadline = services_.clock.now() + split_limit;
  while (services_.replicas.find(child) == nullptr) {
    if (services_.clock.now() >= deadline) {
      co_return fail(Errc::timed_out, "split: the new shard does not open");
    }
    if (!co_await services_.scope.sleep(services_.clock, std::chrono::milliseconds(1))) {
      co_return fail(Errc::cancelled, "split: the node is stopping");
    }
  }
  co_return Result<>{};
}

}  // namespace kiseki::shard::detail
