#include "shard/detail/places.h"

#include <algorithm>

#include "base/logging.h"
#include "base/planted.h"
#include "shard/detail/removal.h"

namespace kiseki::shard::detail {

namespace {
constexpr std::size_t wanted_max = 1024;
}  // namespace

Task<Result<>> Places::open(std::unordered_map<raft::GroupId, raft::Recovered> recovered) {
  recovered_ = std::move(recovered);
  KISEKI_CO_TRY(finish_removals(services_.store));
  KISEKI_CO_TRY(co_await follow());
  for (const auto& [shard, group] : std::exchange(recovered_, {})) {
    const auto removed = was_removed(services_.store, shard);
    if (!removed) co_return fail(removed.error());
    if (!*removed) co_return fail(Errc::corrupted, "the log has entries of shards that are not there");
    KISEKI_CO_TRY(co_await hop(services_.log.executor(), services_.log.erase(shard)));
  }
  co_return Result<>{};
}

Task<Result<>> Places::open_place(ShardId shard, std::optional<raft::Recovered> recovered) {
  auto place = co_await Place::open(shard, std::move(recovered),
                                    {.store = services_.store,
                                     .log = services_.log,
                                     .pool = services_.pool,
                                     .core = services_.cores[shard.value() % services_.cores.size()],
                                     .stamps = stamps_,
                                     .on_change = services_.on_change,
                                     .transport = services_.transport,
                                     .node = services_.node,
                                     .others = services_.others});
  if (!place) co_return fail(std::move(place).error());
  const std::lock_guard lock(mutex_);
  places_.push_back(std::move(*place));
  co_return Result<>{};
}

/// Opening a shard applies what its log holds, and that may be a split.
Task<Result<>> Places::follow() {
  for (Place* const place : all()) {
    if (co_await place->is_removed()) KISEKI_CO_TRY(co_await let_go(place->id()));
  }
  for (bool opened = true; std::exchange(opened, false);) {
    const auto shards = Machine::all(services_.store);
    if (!shards) co_return fail(shards.error());
    for (const ShardId shard : *shards) {
      if (find(shard) != nullptr) continue;
      std::optional<raft::Recovered> mine;
      if (auto found = recovered_.extract(shard); !found.empty()) mine = std::move(found.mapped());
      KISEKI_CO_TRY(co_await open_place(shard, std::move(mine)));
      opened = true;
    }
  }
  co_return Result<>{};
}

Task<Result<>> Places::let_go(ShardId shard) {
  Place* gone = nullptr;
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(places_, shard, [](const auto& place) { return place->id(); });
    gone = gone_.emplace_back(std::move(*found)).get();
    places_.erase(found);
  }
  co_await gone->quiet();
  co_await gone->stop();
  KISEKI_CO_TRY(remove_replica(services_.store, shard));
  kv::KvStore& store = services_.store;
  KISEKI_CO_TRY(co_await services_.pool.run([&store] { return store.flush(); }));
  log::info("shard", "shard {}: the replica here was removed", shard.value());
  co_return co_await hop(services_.log.executor(), services_.log.erase(shard));
}

Task<Result<bool>> Places::may_begin(ShardId shard, const ShardMap& map) const {
  const auto* const entry = map.find(shard);
  if (entry == nullptr || find(shard) != nullptr) co_return false;
  const auto removed = was_removed(services_.store, shard);
  if (!removed) co_return fail(removed.error());
  if (*removed && !KISEKI_PLANTED("1.8 a removed replica comes back")) co_return false;
  for (Place* const place : all()) {
    const auto status = co_await place->status();
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

Task<Result<>> Places::begin_wanted(const ShardMap& map) {
  std::set<ShardId> wanted;
  {
    const std::lock_guard lock(mutex_);
    wanted = std::exchange(wanted_, {});
  }
  for (const ShardId shard : wanted) {
    const auto may = co_await may_begin(shard, map);
    if (!may) co_return fail(may.error());
    if (!*may) continue;
    kv::Batch batch;
    Machine::create_empty(batch, shard);
    KISEKI_CO_TRY(services_.store.write(batch));
    KISEKI_CO_TRY(co_await open_place(shard, std::nullopt));
  }
  co_return Result<>{};
}

Task<> Places::survey(ShardMap& map) const {
  for (Place* const place : all()) {
    const auto status = co_await place->status();
    if (SlotRange{status.first, status.last} != no_slots) map.add(place->id(), status.first);
  }
}

Task<Coverage> Places::coverage() const {
  Coverage coverage;
  for (Place* const place : all()) {
    const auto status = co_await place->status();
    const SlotRange range{status.first, status.last};
    if (range != no_slots) coverage.add(range);
  }
  co_return coverage;
}

Place* Places::find(ShardId shard) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(places_, shard, [](const auto& place) { return place->id(); });
  return found == places_.end() ? nullptr : found->get();
}

ShardPort* Places::port(ShardId shard) const {
  Place* const place = find(shard);
  return place == nullptr ? nullptr : &place->port();
}

void Places::receive(ShardId shard, std::vector<raft::Message> messages, FramePtr frame) {
  const std::lock_guard lock(mutex_);
  if (is_closed_) return;
  const auto found = std::ranges::find(places_, shard, [](const auto& place) { return place->id(); });
  if (found != places_.end()) return (*found)->receive(std::move(messages), std::move(frame));
  if (wanted_.size() < wanted_max && wanted_.insert(shard).second) services_.on_change();
}

std::vector<Place*> Places::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<Place*> all;
  for (const auto& place : places_) all.push_back(place.get());
  return all;
}

void Places::close() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
}

}  // namespace kiseki::shard::detail
