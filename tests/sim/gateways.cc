#include "sim/gateways.h"

#include <limits>

#include "fs/identities.h"

namespace kiseki::sim {

namespace {

/// The first of `shard::Node::families`.
constexpr kv::Family family_rows = 0;
constexpr fs::TreeLimits tiny_leaves{.entries_split = 8, .index_page_max = 300, .cached_max = 64};

}  // namespace

Task<Result<std::string>> Gateways::PlainProvider::wrap(TenantId, const crypto::Key256& secret) {
  co_return std::string(as_text(secret.view()));
}

Task<Result<crypto::Key256>> Gateways::PlainProvider::unwrap(TenantId, std::string wrapped) {
  co_return crypto::Key256::copy_of(as_view(wrapped));
}

Gateways::Gateways(SimulatedLoop& loop, std::uint64_t seed, std::size_t count)
    : loop_(loop),
      count_(count),
      clock_(loop),
      rng_(seed),
      disk_(clock_, seed),
      rows_(shard::Node::families().size()),
      system_key_(crypto::Key256::random(rng_)),
      key_service_(system_key_, provider_, rng_) {}

Gateways::~Gateways() {
  if (running_) stop();
}

Result<> Gateways::start() {
  KISEKI_ASSERT(running_ == nullptr);
  running_ = std::make_unique<Running>(loop_.executor());
  auto opened = loop_.get(open(*running_));
  if (!opened) stop();
  return opened;
}

void Gateways::power_cut(Scope& users) {
  disk_.crash();
  rows_.fail_writes(std::numeric_limits<std::uint64_t>::max());
  rows_.set_full(true);
  loop_.get(users.stop());
  stop();
  rows_.crash(rng_.next());
  rows_.fail_writes(0);
  rows_.set_full(false);
}

void Gateways::stop() {
  loop_.get(close(*running_));
  running_.reset();
}

std::vector<shard::Row> Gateways::rows() {
  std::vector<shard::Row> all;
  const auto iterator = rows_.iterate(family_rows, {}, nullptr);
  for (iterator->seek({}); iterator->valid(); iterator->next()) {
    auto key = shard::Key::decode(iterator->key());
    KISEKI_ASSERT(key.has_value());
    using shard::Kind;
    const bool is_record =
        key->kind != Kind::counters && key->kind != Kind::intent && key->kind != Kind::decision;
    if (!is_record) continue;
    auto record = shard::Record::decode(iterator->value());
    KISEKI_ASSERT(record.has_value());
    all.push_back({std::move(*key), std::move(*record)});
  }
  return all;
}

shard::Counters Gateways::counters(const shard::LeafAddress& leaf) {
  const std::string key = shard::key(leaf, shard::Kind::counters).encode();
  const auto value = rows_.get(family_rows, as_view(key), nullptr);
  KISEKI_ASSERT(value.has_value());
  if (!*value) return {};
  const auto counters = shard::Counters::decode(as_view(**value));
  KISEKI_ASSERT(counters.has_value());
  return *counters;
}

fs::Services Gateways::services() { return services_of(*running_->gateways.front()->client); }

fs::Services Gateways::services_of(shard::Client& client) {
  return {loop_.executor(), &clock_, &rng_, &client, nullptr, &key_service_, &budget_};
}

Task<Result<>> Gateways::open(Running& running) {
  auto log = co_await raft::Log::open(disk_, loop_.executor(), clock_,
                                      {.directory = "/node/log", .segment_size = 1_MiB});
  if (!log) co_return fail(std::move(log).error());
  running.log = std::move(*log);
  const shard::CoreServices core{loop_.executor(), &clock_};
  auto shards = co_await shard::Node::open({.log_limit = 4_MiB}, {rows_, *running.log, {core}, pool_});
  if (!shards) co_return fail(std::move(shards).error());
  running.shards = std::move(*shards);
  while (running.gateways.size() < count_) KISEKI_CO_TRY(co_await add_gateway(running));
  running.scope.spawn(running.gateways.front()->files->sweep());
  co_return Result<>();
}

Task<Result<>> Gateways::add_gateway(Running& running) {
  auto gateway = std::make_unique<Gateway>();
  auto client = co_await running.shards->connect({loop_.executor(), &clock_}, running.gateways.size() + 1);
  if (!client) co_return fail(std::move(client).error());
  gateway->client = std::move(*client);
  const fs::Services services = services_of(*gateway->client);
  const auto tenant = co_await fs::bootstrap(services, [](TenantId) { return Result<>(); });
  if (!tenant) co_return fail(tenant.error());
  tenant_ = *tenant;
  auto files = co_await fs::FileSystem::open(services, tiny_leaves);
  if (!files) co_return fail(std::move(files).error());
  gateway->files = std::move(*files);
  running.gateways.push_back(std::move(gateway));
  co_return Result<>();
}

Task<> Gateways::close(Running& running) {
  running.scope.request_stop();
  for (auto& gateway : running.gateways) co_await gateway->files->stop();
  co_await running.scope.stop();
  if (running.shards) co_await running.shards->stop();
  if (running.log) co_await running.log->stop();
}

}  // namespace kiseki::sim
