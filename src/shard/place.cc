#include "shard/detail/place.h"

#include <fmt/format.h>

#include "shard/detail/hop.h"

namespace kiseki::shard::detail {

namespace {

constexpr raft::NodeId this_node = 1;

/// The log must reach from what the store has to at least where it got.
Result<> check_fit(const Machine& machine, const raft::Recovered& recovered) {
  const raft::Index last = recovered.tail.empty() ? recovered.base.index : recovered.tail.back().index;
  if (recovered.base.index <= machine.applied() && machine.applied() <= last) return {};
  return fail(Errc::corrupted,
              fmt::format("shard {}: the store holds its state as of entry {}, the log entries {} to {}",
                          machine.id().value(), machine.applied(), recovered.base.index, last));
}

}  // namespace

raft::SnapshotMeta first_base() {
  raft::SnapshotMeta base;
  base.index = first_index;
  base.term = first_term;
  base.conf.voters = {this_node};
  return base;
}

Place::Place(std::unique_ptr<Shard> shard, Services services)
    : id_(shard->machine().id()),
      core_(services.core),
      shard_(std::move(shard)),
      port_(*shard_, core_.executor),
      snapshots_(
          shard_->machine().id(), services.store, services.pool,
          [this]() -> const Machine& { return shard_->machine(); },
          [this](std::unique_ptr<Machine> machine) { return shard_->restore(std::move(machine)); }) {
  shard_->on_change(std::move(services.on_change));
}

Task<Result<std::unique_ptr<Place>>> Place::open(ShardId shard, std::optional<raft::Recovered> recovered,
                                                 Services services) {
  KISEKI_CO_TRY(ShardSnapshots::finish(services.store, shard));
  auto machine = Machine::open(services.store, shard);
  if (!machine) co_return fail(std::move(machine).error());
  if (!recovered) {
    // The first start ended before the log knew the shard; a replica without state waits for a snapshot.
    raft::Recovered fresh;
    if (const auto& members = (*machine)->configuration()) {
      fresh.base = {.index = first_index, .term = first_term, .conf = *members};
      KISEKI_CO_TRY(check_fit(**machine, fresh));
    }
    KISEKI_CO_TRY(co_await hop(services.log.executor(), services.log.create(shard, fresh.base)));
    recovered = std::move(fresh);
  }
  const CoreServices core = services.core;
  std::unique_ptr<Place> place(
      new Place(std::make_unique<Shard>(std::move(*machine), services.store, *core.clock), services));
  raft::Replica::Options options;
  options.group = shard;
  options.node = services.node;
  options.seed = shard.value();
  const raft::Replica::Services replica_services{.machine = *place->shard_,
                                                 .log = services.log,
                                                 .clock = *core.clock,
                                                 .executor = core.executor,
                                                 .transport = services.transport,
                                                 .snapshots = &place->snapshots_};
  auto replica =
      co_await hop(core.executor, raft::Replica::open(options, std::move(*recovered), replica_services));
  if (!replica) co_return fail(std::move(replica).error().in(fmt::format("shard {}", shard.value())));
  place->replica_ = std::move(*replica);
  place->journal_ = std::make_unique<ReplicaJournal>(*place->replica_);
  place->shard_->attach(*place->journal_);
  co_return place;
}

Task<Route> Place::route_here() {
  co_return Route{.id = shard_->machine().id(), .range = shard_->machine().range(), .port = &port_};
}

Task<Node::ShardStatus> Place::status_here() {
  const auto& machine = shard_->machine();
  co_return Node::ShardStatus{.id = machine.id(),
                              .first = machine.range().first,
                              .last = machine.range().last,
                              .applied = machine.applied(),
                              .leader = replica_->role() == raft::Role::leader};
}

Task<std::optional<Error>> Place::failure_here() { co_return replica_->failure(); }

Task<> Place::set_room_here(bool has_room) {
  shard_->set_room(has_room);
  co_return;
}

Task<> Place::quiet_here() {
  shard_->stop();
  co_await shard_->quiet();
}

Task<Node::ShardStatus> Place::status() { co_return co_await hop(core_.executor, status_here()); }
Task<std::optional<Error>> Place::failure() { co_return co_await hop(core_.executor, failure_here()); }
Task<> Place::set_room(bool has_room) { co_await hop(core_.executor, set_room_here(has_room)); }
Task<Result<>> Place::compact() { co_return co_await hop(core_.executor, replica_->compact()); }
Task<> Place::quiet() { co_await hop(core_.executor, quiet_here()); }
Task<> Place::stop() { co_await hop(core_.executor, replica_->stop()); }

}  // namespace kiseki::shard::detail
