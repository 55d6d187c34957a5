#include "sim/simulated_node.h"

#include <limits>
#include <unistd.h>

#include "fs/testing/forwarding_client.h"

namespace kiseki::sim {

namespace {

/// A key file of this process alone: keys are not what is simulated.
std::filesystem::path new_key_path() {
  static int number = 0;
  return std::filesystem::path("/var/tmp") /
         ("kiseki-simulated-" + std::to_string(::getpid()) + "-" + std::to_string(number++) + ".key");
}

keys::KeyFile create_key_file(const std::filesystem::path& path, Rng& rng) {
  auto file = keys::KeyFile::create(path, rng);
  KISEKI_ASSERT(file.has_value());
  return std::move(*file);
}

/// Reads some rows and commits some transactions late: what was read before may have changed.
class LateClient final : public fs::ForwardingClient {
 public:
  LateClient(std::unique_ptr<shard::Client> inner, Clock& clock, Rng& rng, Duration delay_max)
      : ForwardingClient(std::move(inner)), clock_(clock), rng_(rng), delay_max_(delay_max) {}

  Task<Result<shard::ReadReply>> read(shard::ReadRequest request) override {
    co_await delay_one_in(32);
    co_return co_await ForwardingClient::read(std::move(request));
  }
  Task<Result<shard::Outcome>> commit(shard::Transaction transaction) override {
    co_await delay_one_in(4);
    co_return co_await ForwardingClient::commit(std::move(transaction));
  }

 private:
  Task<> delay_one_in(std::uint64_t calls) {
    if (rng_.below(calls) > 0) co_return;
    co_await clock_.sleep(Duration(rng_.below(static_cast<std::uint64_t>(delay_max_.count()))));
  }

  Clock& clock_;
  Rng& rng_;
  Duration delay_max_;
};

}  // namespace

SimulatedNode::SimulatedNode(SimulatedLoop& loop, std::uint64_t seed, Options options)
    : loop_(loop),
      options_(options),
      clock_(loop),
      rng_(seed),
      disk_(clock_, seed),
      rows_(shard::Node::families().size()),
      index_(chunk::device_index_families().size()),
      key_path_(new_key_path()),
      key_file_(create_key_file(key_path_, rng_)),
      provider_(key_file_, rng_),
      key_service_(key_file_.system_key(), provider_, rng_) {}

SimulatedNode::~SimulatedNode() {
  if (running_) stop();
  std::filesystem::remove(key_path_);
}

Result<> SimulatedNode::start() {
  KISEKI_ASSERT(running_ == nullptr);
  running_ = std::make_unique<Running>(loop_.executor());
  auto opened = loop_.get(open(*running_));
  if (!opened) stop();
  return opened;
}

void SimulatedNode::end(End how, Scope& users) {
  set_full(false);
  set_slow(0);
  how == End::power_cut ? disk_.crash() : disk_.kill();
  for (CrashableKv* store : {&rows_, &index_}) {
    store->fail_writes(std::numeric_limits<std::uint64_t>::max());
    store->set_full(true);
  }
  loop_.get(users.stop());
  stop();
  for (CrashableKv* store : {&rows_, &index_}) {
    store->crash(rng_.next());
    store->fail_writes(0);
    store->set_full(false);
  }
}

void SimulatedNode::set_full(bool is_full) {
  disk_.set_capacity(is_full ? disk_.used() : SimulatedDisk::Options{}.capacity);
  for (CrashableKv* store : {&rows_, &index_}) store->set_full(is_full);
}

void SimulatedNode::set_slow(std::uint32_t chance) {
  disk_.faults().slow = chance;
  disk_.faults().slow_latency = std::chrono::milliseconds(20);
}

bool SimulatedNode::holds(std::string_view word) const {
  return !disk_.files_with(word).empty() || rows_.holds(word) || index_.holds(word);
}

void SimulatedNode::stop() {
  loop_.get(close(*running_));
  running_.reset();
}

chunk::SecretWrap SimulatedNode::wrap() {
  return {.seal = [this](View context, View secret) { return key_service_.seal(context, secret); },
          .open = [this](View context, View sealed) { return key_service_.open(context, sealed); }};
}

Task<Result<>> SimulatedNode::open(Running& running) {
  auto log = co_await raft::Log::open(disk_, loop_.executor(), clock_,
                                      {.directory = "/node/log", .segment_size = 1_MiB});
  if (!log) co_return fail(std::move(log).error());
  running.log = std::move(*log);
  auto device = co_await chunk::open_local_device(
      {.directory = "/node/device", .capacity = 512_MiB, .region = 8_MiB, .grow = 16_MiB}, wrap(),
      {disk_, index_, rng_, pool_, loop_.executor(), clock_});
  if (!device) co_return fail(std::move(device).error());
  running.device = std::move(*device);
  running.chunks.emplace(*running.device);
  KISEKI_CO_TRY(co_await open_shards(running));
  KISEKI_CO_TRY(co_await open_files(running));
  running.scope.spawn(running.files->sweep());
  running.scope.spawn(running.collector->run(running.scope));
  co_return Result<>();
}

Task<Result<>> SimulatedNode::open_shards(Running& running) {
  const shard::CoreServices core{loop_.executor(), &clock_};
  auto shards = co_await shard::Node::open({.log_limit = 4_MiB, .cluster = key_file_.fingerprint()},
                                           {rows_, *running.log, {core}, pool_});
  if (!shards) co_return fail(std::move(shards).error());
  running.shards = std::move(*shards);
  for (const auto& [process, client] :
       {std::pair(1, &running.client), std::pair(2, &running.collector_client)}) {
    auto connected = co_await running.shards->connect(core, static_cast<std::uint64_t>(process));
    if (!connected) co_return fail(std::move(connected).error());
    *client = std::move(*connected);
  }
  if (options_.delay_max > Duration::zero()) {
    running.client =
        std::make_unique<LateClient>(std::move(running.client), clock_, rng_, options_.delay_max);
  }
  const auto spread = static_cast<std::uint64_t>((options_.round_max - options_.round_min).count());
  running.collector = std::make_unique<gc::Collector>(
      gc::Collector::Options{.interval = options_.round_min + Duration(rng_.below(spread)),
                             .rounds_whole = 1000},  // incremental rounds must find all
      clock_, *running.collector_client, running.shards->references(),
      std::vector<chunk::Device*>{running.device.get()});
  co_return co_await running.collector->start();
}

Task<Result<>> SimulatedNode::open_files(Running& running) {
  const fs::Services services{loop_.executor(), &clock_,       &rng_,          running.client.get(),
                              &*running.chunks, &key_service_, &running.budget};
  auto tenant = co_await fs::bootstrap(services, [this](TenantId id) -> Result<> {
    return key_file_.tenant_key(id) ? Result<>() : key_file_.add_tenant(id, rng_);
  });
  if (!tenant) co_return fail(std::move(tenant).error());
  tenant_ = *tenant;
  auto files = co_await fs::FileSystem::open(services);
  if (!files) co_return fail(std::move(files).error());
  running.files = std::move(*files);
  co_return Result<>();
}

Task<Result<std::size_t>> SimulatedNode::chunks() {
  std::size_t count = 0;
  std::optional<chunk::FragmentKey> from = chunk::FragmentKey{};
  while (from) {
    auto page = co_await running_->device->aged(
        *from, {GcEpoch{}, GcEpoch{std::numeric_limits<std::uint64_t>::max()}});
    if (!page) co_return fail(page.error());
    count += page->fragments.size();
    from = page->next;
  }
  co_return count;
}

Task<> SimulatedNode::close(Running& running) {
  running.scope.request_stop();
  if (running.files) co_await running.files->stop();
  co_await running.scope.stop();
  if (running.shards) co_await running.shards->stop();
  if (running.device) co_await running.device->stop();
  if (running.log) co_await running.log->stop();
}

}  // namespace kiseki::sim
