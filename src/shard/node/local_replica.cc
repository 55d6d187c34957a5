#include "shard/node/local_replica.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "base/crossing.h"
#include "base/metrics.h"
#include "raft/members.h"
#include "shard/rows/replica_row.h"

namespace kiseki::shard::detail {

namespace {

metrics::Counter lost("kiseki_shard_messages_lost_total",
                      "Messages of other replicas that found too many bytes waiting.");

/// What messages take while they wait.
Bytes size_of(const std::vector<raft::Message>& messages) {
  Bytes size = 0;
  for (const auto& message : messages) {
    size += sizeof(message) + message.context.size();
    for (const auto& entry : message.entries) size += sizeof(entry) + entry.data.size();
  }
  return size;
}

/// The log must reach from what the store has to at least where it got.
Result<> check_fit(const Machine& machine, const raft::Recovered& recovered) {
  const raft::Index last = recovered.tail.empty() ? recovered.base.index : recovered.tail.back().index;
  if (recovered.base.index <= machine.applied() && machine.applied() <= last) return {};
  return fail(Errc::corrupted,
              fmt::format("shard {}: the store holds its state as of entry {}, the log entries {} to {}",
                          machine.id().value(), machine.applied(), recovered.base.index, last));
}

}  // namespace

raft::SnapshotMeta first_base(std::vector<raft::ReplicaId> voters) {
  return {.index = first_index, .term = first_term, .conf = {.voters = std::move(voters)}};
}

LocalReplica::LocalReplica(std::unique_ptr<Shard> shard, Services services)
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

Task<Result<std::unique_ptr<LocalReplica>>> LocalReplica::open(ShardId shard,
                                                               std::optional<raft::Recovered> recovered,
                                                               Services services) {
  const auto row = ReplicaRow::read(services.store, shard);
  if (!row) co_return fail(row.error());
  if (!*row || (recovered && recovered->replica != (*row)->id)) {
    co_return fail(Errc::corrupted,
                   fmt::format("shard {}: its log is of replica {}, its state of {}", shard.value(),
                               recovered ? recovered->replica : 0, *row ? (*row)->id : 0));
  }
  KISEKI_CO_TRY(ShardSnapshots::finish(services.store, shard));
  auto machine = Machine::open(services.store, shard);
  if (!machine) co_return fail(std::move(machine).error());
  if (!recovered) {
    // Its first start. A replica without state waits for a snapshot.
    raft::Recovered fresh{.replica = (*row)->id, .base = {}, .hard_state = {}, .tail = {}};
    if (const auto& members = (*machine)->configuration()) {
      fresh.base = {.index = first_index, .term = first_term, .conf = *members};
      KISEKI_CO_TRY(check_fit(**machine, fresh));
    }
    // What a log has promised to others it must find a state for, also when its parent's split is forgotten.
    kv::KvStore& store = services.store;
    KISEKI_CO_TRY(co_await services.pool.run([&store] { return store.flush(); }));
    KISEKI_CO_TRY(
        co_await on(services.log.executor(), services.log.create(shard, fresh.replica, fresh.base)));
    recovered = std::move(fresh);
  }
  const CoreServices core = services.core;
  std::unique_ptr<LocalReplica> local(
      new LocalReplica(std::make_unique<Shard>(std::move(*machine), services.store, services.pool,
                                               *core.clock, services.stamps),
                       services));
  raft::Replica::Options options;
  options.group = shard;
  options.replica = (*row)->id;
  options.others = services.others;
  options.seed = shard.value();
  const raft::Replica::Environment environment{.machine = *local->shard_,
                                               .log = services.log,
                                               .clock = *core.clock,
                                               .executor = core.executor,
                                               .transport = services.transport,
                                               .snapshots = &local->snapshots_};
  auto replica = co_await on(core.executor, raft::Replica::open(options, std::move(*recovered), environment));
  if (!replica) co_return fail(std::move(replica).error().in(fmt::format("shard {}", shard.value())));
  local->replica_ = std::move(*replica);
  local->journal_ = std::make_unique<ReplicaJournal>(*local->replica_);
  local->shard_->attach(*local->journal_);
  co_return local;
}

Task<Result<>> LocalReplica::compact_here() {
  if (is_stopped_) co_return Result<>{};
  ++uses_;
  auto compacted = co_await replica_->compact();
  if (--uses_ == 0) uses_ended_.set();
  co_return compacted;
}

void LocalReplica::receive(std::vector<raft::Message> messages, FramePtr frame) {
  const Bytes size = size_of(messages);
  if (received_.fetch_add(size) + size > received_max) {
    received_.fetch_sub(size);
    lost.add(messages.size());
    return;
  }
  asio::post(core_.executor, [this, size, messages = std::move(messages), frame = std::move(frame)] {
    received_.fetch_sub(size);
    if (!is_stopped_) replica_->step(messages, frame);
  });
}

Task<Result<>> LocalReplica::receive_snapshot_here(raft::Message message, raft::SnapshotSource& source) {
  if (is_stopped_) co_return fail(Errc::unavailable, "the replica is stopped");
  ++uses_;
  auto received = co_await replica_->receive_snapshot(std::move(message), source);
  if (--uses_ == 0) uses_ended_.set();
  co_return received;
}

Task<> LocalReplica::quiet_here() {
  shard_->stop();
  co_await shard_->quiet();
}

Task<> LocalReplica::stop_here() {
  if (std::exchange(is_stopped_, true)) co_return;
  // What was posted before this comes to its turn.
  co_await asio::post(asio::bind_executor(core_.executor, use_task));
  while (uses_ > 0) {
    uses_ended_.reset();
    co_await uses_ended_.wait();
  }
  co_await replica_->stop();
}

/// Every call on the replica looks first whether it is stopped, or has gone.
Task<> LocalReplica::release_here() {
  KISEKI_ASSERT(is_stopped_);
  replica_.reset();
  co_return;
}

Task<Node::ShardStatus> LocalReplica::status() {
  return call_on(core_.executor, [this] {
    const auto& machine = shard_->machine();
    return Node::ShardStatus{.id = machine.id(),
                             .first = machine.range().first,
                             .last = machine.range().last,
                             .applied = machine.applied(),
                             .replica = replica_ ? replica_->status() : raft::GroupStatus{}};
  });
}
Task<std::optional<Error>> LocalReplica::failure() {
  return call_on(core_.executor, [this] { return replica_ ? replica_->failure() : std::nullopt; });
}
Task<bool> LocalReplica::is_removed() {
  return call_on(core_.executor, [this] { return !is_stopped_ && replica_->is_removed(); });
}
Task<> LocalReplica::set_room(bool has_room) {
  return call_on(core_.executor, [this, has_room] { shard_->set_room(has_room); });
}
Task<Result<>> LocalReplica::compact() { return on(core_.executor, compact_here()); }
Task<Result<>> LocalReplica::change_members(std::vector<raft::MemberChange> changes) {
  return call_on(core_.executor, [this, changes = std::move(changes)]() -> Result<> {
    if (is_stopped_) return fail(Errc::not_leader, "the replica is stopped");
    const auto proposed = replica_->change_members(changes);
    return proposed ? Result<>{} : fail(proposed.error());
  });
}
Task<Result<>> LocalReplica::transfer_leader(raft::NodeId to) {
  return call_on(core_.executor, [this, to]() -> Result<> {
    if (is_stopped_) return fail(Errc::not_leader, "the replica is stopped");
    const raft::ReplicaId member = raft::member_on(replica_->status().conf, to);
    if (member == 0) return fail(Errc::invalid_argument, "no member is there");
    return replica_->transfer_leader(member);
  });
}
Task<Result<>> LocalReplica::receive_snapshot(raft::Message message, raft::SnapshotSource& source) {
  return on(core_.executor, receive_snapshot_here(std::move(message), source));
}
Task<> LocalReplica::quiet() { return on(core_.executor, quiet_here()); }
Task<> LocalReplica::stop() { return on(core_.executor, stop_here()); }
Task<> LocalReplica::release() { return on(core_.executor, release_here()); }

}  // namespace kiseki::shard::detail
