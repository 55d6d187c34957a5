#include "chunk/pool_store.h"

#include "base/metrics.h"
#include "chunk/pools/chunk_read.h"
#include "chunk/pools/chunk_write.h"

namespace kiseki::chunk {

namespace {

// Calls that find the map changed begin again; whoever moves groups faster than that is at fault.
constexpr int attempts_max = 3;

metrics::Counter damaged_total("kiseki_pool_damaged_fragments_total",
                               "Fragments that a read found missing or damaged.");
metrics::Counter restored_total("kiseki_pool_restored_chunks_total",
                                "Chunks put again because a touch found too little of them.");

/// Devices and map disagree for longer than a change takes.
std::unexpected<Error> unsettled(const Error& error) { return fail(Errc::unavailable, error.words()); }
std::unexpected<Error> no_pool() { return fail(Errc::not_found, "no such pool"); }

}  // namespace

struct PoolStore::State {
  /// Shared: the store, and calls under way that began before the map was read again.
  using Map = std::shared_ptr<const detail::MapSnapshot>;

  State(MapStore& map_store, std::map<DeviceId, Device*> reachable, Executor executor, Clock& core_clock)
      : store(map_store), devices(std::move(reachable)), scope(executor), clock(core_clock) {}

  detail::PoolServices services() { return {devices, scope, clock, codes, reads}; }
  const GroupRecord* group_of(const detail::MapSnapshot& at, const ChunkName& name,
                              ChunkFormat format) const {
    const GroupRecord* group = at.group_of(name);
    return group != nullptr && fragment_count(format) <= group->current.size() ? group : nullptr;
  }

  MapStore& store;
  const std::map<DeviceId, Device*> devices;
  Scope scope;
  Clock& clock;
  ErasureCodes codes;
  detail::Latency reads;
  Map map = std::make_shared<detail::MapSnapshot>();
};

PoolStore::PoolStore(MapStore& map, std::map<DeviceId, Device*> devices, Executor executor, Clock& clock)
    : state_(std::make_unique<State>(map, std::move(devices), executor, clock)) {}

PoolStore::~PoolStore() = default;

Task<Result<>> PoolStore::refresh() {
  auto rows = co_await state_->store.read();
  if (!rows) co_return fail(std::move(rows).error());
  auto map = detail::MapSnapshot::parse(*rows);
  if (!map) co_return fail(std::move(map).error());
  state_->map = std::make_shared<detail::MapSnapshot>(std::move(*map));
  co_return Result<>();
}

Task<> PoolStore::stop() { return state_->scope.stop(); }

Result<Profile> PoolStore::profile(PoolId pool) const {
  const auto found = state_->map->pools().find(pool);
  if (found == state_->map->pools().end()) return no_pool();
  return found->second.record.profile;
}

Task<Result<PutReply>> PoolStore::put(SealedChunkPtr chunk) {
  const ChunkName name = chunk->name;
  const ChunkFormat format = chunk->format;
  const auto fragments = encode(std::move(chunk), state_->codes);
  for (int attempt = 1;; ++attempt) {
    const auto map = state_->map;
    const GroupRecord* group = state_->group_of(*map, name, format);
    if (group == nullptr) co_return no_pool();
    auto reply = co_await detail::put_fragments(state_->services(), {*map, *group}, fragments);
    if (reply || reply.error().code() != Errc::stale) co_return reply;
    if (attempt == attempts_max) co_return unsettled(reply.error());
    KISEKI_CO_TRY(co_await refresh());
  }
}

Task<Result<GcEpoch>> PoolStore::touch(NamespaceId ns, ChunkReference reference) {
  const ChunkName name = name_of(ns, reference);
  for (int attempt = 1;; ++attempt) {
    const auto map = state_->map;
    const GroupRecord* group = state_->group_of(*map, name, reference.format);
    if (group == nullptr) co_return no_pool();
    const detail::PlacedGroup place{*map, *group};
    const auto reply = co_await detail::touch_fragments(state_->services(), place, {name, 0}, reference);
    if (reply) co_return reply->epoch;
    const Errc code = reply.error().code();
    if (code == Errc::not_found && fragment_count(reference.format) > 1) break;
    if (code != Errc::stale) co_return fail(reply.error());
    if (attempt == attempts_max) co_return unsettled(reply.error());
    KISEKI_CO_TRY(co_await refresh());
  }
  co_return co_await restore(ns, reference);
}

Task<Result<GcEpoch>> PoolStore::restore(NamespaceId ns, ChunkReference reference) {
  auto blocks = co_await read(ns, reference, {0, block_count(reference.format, reference.length)});
  if (!blocks) co_return fail(std::move(blocks).error());
  const auto chunk = std::make_shared<SealedChunk>(SealedChunk{
      name_of(ns, reference), reference.format, std::move(blocks->tags), std::move(blocks->ciphertext)});
  const auto reply = co_await put(chunk);
  if (!reply) co_return fail(reply.error());
  if (reply->put == Put::conflict) co_return fail(Errc::corrupted, "another chunk stands under this id");
  restored_total.add();
  co_return reply->epoch;
}

Task<Result<Blocks>> PoolStore::read(NamespaceId ns, ChunkReference reference, BlockRange blocks) {
  const ChunkName name = name_of(ns, reference);
  for (int attempt = 1;; ++attempt) {
    const auto map = state_->map;
    const GroupRecord* group = state_->group_of(*map, name, reference.format);
    if (group == nullptr) co_return no_pool();
    detail::ChunkRead reading(state_->services(), {*map, *group}, name, reference);
    auto found = co_await reading.run(blocks);
    damaged_total.add(static_cast<std::uint64_t>(std::popcount(reading.damaged())));
    if (found || found.error().code() == Errc::out_of_range || attempt == attempts_max) co_return found;
    // 8.3: any answer but bytes is only as good as the map.
    if (const auto again = co_await refresh(); !again) co_return found;
    const GroupRecord* now = state_->group_of(*state_->map, name, reference.format);
    if (now != nullptr && now->epoch == group->epoch) co_return found;
  }
}

Task<Result<GcEpoch>> PoolStore::epoch() {
  std::optional<GcEpoch> lowest;
  for (const auto& [id, device] : state_->devices) {
    const auto epoch = co_await device->epoch();
    if (epoch && (!lowest || *epoch < *lowest)) lowest = *epoch;
  }
  if (!lowest) co_return fail(Errc::unavailable, "no device answers");
  co_return *lowest;
}

}  // namespace kiseki::chunk
