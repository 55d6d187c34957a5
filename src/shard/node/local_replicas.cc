#include "shard/node/local_replicas.h"

#include <algorithm>

#include "base/logging.h"
#include "base/planted.h"
#include "shard/snapshots/removal.h"

namespace kiseki::shard::detail {

namespace {
constexpr std::size_t wanted_max = 1024;

/// What a member is sent by others that count on it. Answers, and what concerns who is none, are no reason to
/// begin one.
bool is_for_member(raft::MessageType type) {
  switch (type) {
    case raft::MessageType::append:
    case raft::MessageType::request_vote:
    case raft::MessageType::snapshot:
    case raft::MessageType::heartbeat:
    case raft::MessageType::request_pre_vote:
      return true;
    default:
      return false;
  }
}
}  // namespace

Task<Result<>> LocalReplicas::open(std::unordered_map<raft::GroupId, raft::Recovered> recovered) {
  recovered_ = std::move(recovered);
  KISEKI_CO_TRY(finish_removals(services_.store));
  KISEKI_CO_TRY(co_await follow());
  for (const auto& [shard, group] : std::exchange(recovered_, {})) {
    const auto removed = was_removed(services_.store, shard);
    if (!removed) co_return fail(removed.error());
    if (!*removed) co_return fail(Errc::corrupted, "the log has entries of shards that are not there");
    old_logs_.insert(shard);
  }
  const auto erased = co_await erase_old_logs();
  if (!erased && erased.error().code() != Errc::no_space) co_return fail(erased.error());
  co_return Result<>{};
}

Task<Result<>> LocalReplicas::open_replica(ShardId shard, std::optional<raft::Recovered> recovered) {
  auto replica = co_await LocalReplica::open(shard, std::move(recovered),
                                             {.store = services_.store,
                                              .log = services_.log,
                                              .pool = services_.pool,
                                              .core = services_.cores[shard.value() % services_.cores.size()],
                                              .stamps = stamps_,
                                              .on_change = services_.on_change,
                                              .transport = services_.transport,
                                              .others = services_.others});
  if (!replica) co_return fail(std::move(replica).error());
  const std::lock_guard lock(mutex_);
  replicas_.push_back(std::move(*replica));
  co_return Result<>{};
}

/// Opening a shard applies what its log holds, and that may be a split.
Task<Result<>> LocalReplicas::follow() {
  for (LocalReplica* const replica : all()) {
    if (co_await replica->is_removed()) KISEKI_CO_TRY(co_await let_go(replica->id()));
  }
  KISEKI_CO_TRY(co_await open_new());
  co_return co_await erase_old_logs();
}

Task<Result<>> LocalReplicas::open_new() {
  for (bool opened = true; std::exchange(opened, false);) {
    const auto shards = Machine::all(services_.store);
    if (!shards) co_return fail(shards.error());
    for (const ShardId shard : *shards) {
      if (find(shard) != nullptr) continue;
      std::optional<raft::Recovered> mine;
      if (auto found = recovered_.extract(shard); !found.empty()) mine = std::move(found.mapped());
      KISEKI_CO_TRY(co_await open_replica(shard, std::move(mine)));
      opened = true;
    }
  }
  co_return Result<>{};
}

Task<Result<>> LocalReplicas::let_go(ShardId shard) {
  LocalReplica* gone = nullptr;
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(replicas_, shard, [](const auto& replica) { return replica->id(); });
    gone = gone_.emplace_back(std::move(*found)).get();
    replicas_.erase(found);
  }
  co_await gone->quiet();
  co_await gone->stop();
  co_await gone->release();
  old_logs_.insert(shard);
  auto removal = Removal::begin(services_.store, shard);
  if (!removal) co_return fail(removal.error());
  KISEKI_CO_TRY(co_await carry_out_beside(services_.pool, *removal));
  log::info("shard", "shard {}: the replica here was removed", shard.value());
  co_return Result<>{};
}

/// That the replica is removed is durable first: a start that finds no log begins one.
Task<Result<>> LocalReplicas::erase_old_logs() {
  if (old_logs_.empty()) co_return Result<>{};
  kv::KvStore& store = services_.store;
  KISEKI_CO_TRY(co_await services_.pool.run([&store] { return store.flush(); }));
  while (!old_logs_.empty()) {
    const ShardId shard = *old_logs_.begin();
    KISEKI_CO_TRY(co_await on(services_.log.executor(), services_.log.erase(shard)));
    old_logs_.erase(shard);
  }
  co_return Result<>{};
}

Task<Result<bool>> LocalReplicas::may_begin(ShardId shard, raft::ReplicaId replica,
                                            const ShardMap& map) const {
  const auto* const entry = map.find(shard);
  if (entry == nullptr || find(shard) != nullptr || old_logs_.contains(shard)) co_return false;
  const auto last = ReplicaRow::read(services_.store, shard);
  if (!last) co_return fail(last.error());
  const bool is_old = *last && raft::number_of(replica) <= raft::number_of((*last)->id);
  if (is_old && !KISEKI_PLANTED("1.8 a removed replica comes back")) co_return false;
  for (LocalReplica* const other : all()) {
    const auto status = co_await other->status();
    if (SlotRange{status.first, status.last} == no_slots) co_return false;
  }
  const auto taken = is_taken(services_.store, entry->range, shard);
  if (!taken) co_return fail(taken.error());
  if (*taken && !KISEKI_PLANTED("1.8 the slots of two replicas here overlap")) co_return false;
  // Whoever had the slots may have split meanwhile, and made the shard by the same write.
  const auto is_made = Machine::is_there(services_.store, shard);
  if (!is_made) co_return fail(is_made.error());
  co_return !*is_made || KISEKI_PLANTED("1.8 a child is begun again before it is opened");
}

Task<Result<>> LocalReplicas::begin_wanted(const ShardMap& map) {
  std::map<ShardId, raft::ReplicaId> wanted;
  {
    const std::lock_guard lock(mutex_);
    wanted = std::exchange(wanted_, {});
  }
  for (const auto& [shard, replica] : wanted) {
    const auto may = co_await may_begin(shard, replica, map);
    if (!may) co_return fail(may.error());
    if (!*may) continue;
    kv::Batch batch;
    Machine::create_empty(batch, shard);
    batch.put(family_state, ReplicaRow::key(shard), ReplicaRow{.id = replica}.encode());
    KISEKI_CO_TRY(services_.store.write(batch));
    KISEKI_CO_TRY(co_await open_replica(shard, std::nullopt));
  }
  co_return Result<>{};
}

Task<> LocalReplicas::survey(ShardMap& map) const {
  for (LocalReplica* const replica : all()) {
    const auto status = co_await replica->status();
    if (SlotRange{status.first, status.last} != no_slots) map.add(replica->id(), status.first);
  }
}

Task<Coverage> LocalReplicas::coverage() const {
  Coverage coverage;
  for (LocalReplica* const replica : all()) {
    const auto status = co_await replica->status();
    const SlotRange range{status.first, status.last};
    if (range != no_slots) coverage.add(range);
  }
  co_return coverage;
}

LocalReplica* LocalReplicas::find(ShardId shard) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(replicas_, shard, [](const auto& replica) { return replica->id(); });
  return found == replicas_.end() ? nullptr : found->get();
}

ShardPort* LocalReplicas::port(ShardId shard) const {
  LocalReplica* const replica = find(shard);
  return replica == nullptr ? nullptr : &replica->port();
}

void LocalReplicas::receive(ShardId shard, std::vector<raft::Message> messages, FramePtr frame) {
  const std::lock_guard lock(mutex_);
  if (is_closed_) return;
  const auto found = std::ranges::find(replicas_, shard, [](const auto& replica) { return replica->id(); });
  if (found != replicas_.end()) return (*found)->receive(std::move(messages), std::move(frame));
  for (const raft::Message& message : messages) {
    if (!is_for_member(message.type) || raft::node_of(message.to) != services_.node) continue;
    if (wanted_.size() == wanted_max && !wanted_.contains(shard)) return;
    auto& replica = wanted_[shard];
    if (replica == 0) services_.on_change();
    replica = std::max(replica, message.to);
  }
}

std::vector<LocalReplica*> LocalReplicas::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<LocalReplica*> all;
  for (const auto& replica : replicas_) all.push_back(replica.get());
  return all;
}

void LocalReplicas::close() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
}

}  // namespace kiseki::shard::detail
