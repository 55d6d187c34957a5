#include "apps/node.h"

#include <atomic>

#include "admin_api/admin_server.h"
#include "admin_api/probe_server.h"
#include "apps/access_log_file.h"
#include "apps/key_ring.h"
#include "apps/listen.h"
#include "apps/run_on.h"
#include "apps/s3_face.h"
#include "apps/storage.h"
#include "base/scope.h"
#include "crypto/secret.h"
#include "gc/collector.h"

namespace kiseki::apps {

namespace {

/// What one core serves requests with.
struct Station {
  Station(Core& core_used, const keys::KeyFile& file)
      : core(core_used), provider(file, rng), keys(file.system_key(), provider, rng) {}

  Core& core;
  SystemRng rng;
  keys::InternalProvider provider;
  keys::KeyService keys;
  std::unique_ptr<shard::Client> client;
  std::unique_ptr<fs::FileSystem> file_system;
  std::unique_ptr<fs::Identities> identities;
};

void warn_of_risks(const Config& config, const std::filesystem::path& data) {
  if (config.key_file.empty()) {
    log::warning(
        "node",
        "the keys are in {}: whoever takes the disk takes the keys too; keep them elsewhere with --key-file",
        (data / DataDirectory::key_name).string());
  }
  if (!parse_endpoint(config.s3)->is_loopback) {
    log::warning(
        "node",
        "S3 IS SERVED ON {} WITHOUT TLS: requests and data cross the network in the clear; put a proxy that "
        "ends TLS in front, or listen on 127.0.0.1",
        config.s3);
  }
}

/// Both addresses can be had now; they are taken for good when there is something to serve.
Result<> check_free(const Config& config) {
  asio::io_context loop;
  for (const auto& [option, endpoint] :
       {std::pair("s3.listen", config.s3), std::pair("admin.listen", config.admin)}) {
    auto acceptor = listen(loop.get_executor(), endpoint);
    if (!acceptor) return fail(std::move(acceptor).error().in(option));
  }
  return {};
}

}  // namespace

/// Members stand in the order they are made; each outlives those below it.
struct Node::State {
  State(Config config_given, std::function<void(Error)> failed_given, DataDirectory held, keys::KeyFile keys)
      : config(std::move(config_given)),
        failed(std::move(failed_given)),
        key_file(std::move(keys)),
        storage(config, std::move(held)),
        started(first().clock().now()),
        device_keys(storage.first(), key_file),
        memory(config.payload_memory),
        scope(first().executor()) {}
  ~State() { stop(); }

  Result<> start(std::optional<RootCredential> given);
  void stop();

  Config config;
  std::function<void(Error)> failed;
  keys::KeyFile key_file;
  Storage storage;
  BootTime started;
  std::atomic<bool> running = false, ready = false;
  Station device_keys;  // wraps the device's secret; serves nobody
  MemoryBudget memory;  // for data on its way, of all cores
  fs::KeysMade keys_made;
  std::unique_ptr<shard::Client> collector_client;
  std::unique_ptr<gc::Collector> collector;
  std::vector<std::unique_ptr<Station>> stations;
  Scope scope;
  SystemRng rng;
  TenantId tenant;
  RootAccess root;
  std::optional<admin_api::Commands> commands;
  std::string admin_endpoint;
  std::unique_ptr<admin_api::ProbeServer> probes;
  std::unique_ptr<admin_api::AdminServer> admin;
  std::unique_ptr<AccessLogFile> access_log;
  std::unique_ptr<S3Face> s3;

 private:
  Core& first() { return storage.first(); }
  Result<> listen_for_probes();
  chunk::SecretWrap wrap();
  Task<Result<>> connect(Station& station, std::uint64_t process);
  Task<Result<>> open_collector();
  Task<Result<>> establish_tenant(std::optional<RootCredential> given);
  Task<Result<>> open_file_system(Station& station);
  Result<> open_stations(std::optional<RootCredential> given);
  Result<> open_access_log();
  Result<> open_faces();
  fs::Services services(Station& station);
  Task<admin_api::NodeReport> report();
  Task<> start_background();
  Task<> watch();
  Task<> stop_faces();
};

Result<> Node::State::start(std::optional<RootCredential> given) {
  KISEKI_TRY(listen_for_probes());
  warn_of_risks(config, storage.directory().path());
  running = true;
  probes->start();
  KISEKI_TRY(storage.open(key_file.fingerprint(), wrap()));
  KISEKI_TRY(run_on(first(), open_collector()));
  KISEKI_TRY(open_stations(std::move(given)));
  KISEKI_TRY(open_faces());
  run_on(first(), start_background());
  ready = true;
  return {};
}

Result<> Node::State::listen_for_probes() {
  auto acceptor = listen(first().executor(), config.admin);
  if (!acceptor) return fail(std::move(acceptor).error().in("admin.listen"));
  admin_endpoint = endpoint_of(*acceptor);
  probes = std::make_unique<admin_api::ProbeServer>(std::move(*acceptor), first().clock(),
                                                    [this] { return ready.load(); });
  return {};
}

chunk::SecretWrap Node::State::wrap() {
  return {.seal = [this](View context, View secret) { return device_keys.keys.seal(context, secret); },
          .open = [this](View context, View sealed) { return device_keys.keys.open(context, sealed); }};
}

fs::Services Node::State::services(Station& station) {
  return {.executor = station.core.executor(),
          .clock = &station.core.clock(),
          .rng = &station.rng,
          .client = station.client.get(),
          .chunks = &storage.chunks(),
          .keys = &station.keys,
          .memory = &memory};
}

/// The device knows the garbage epoch before anybody puts anything.
Task<Result<>> Node::State::open_collector() {
  constexpr std::uint64_t process = 0xffff'ffff;  // no station's
  auto client = co_await storage.shards().connect({first().executor(), &first().clock()}, process);
  if (!client) co_return fail(std::move(client).error().in("collector"));
  collector_client = std::move(*client);
  gc::Collector::Options options;
  options.interval = std::chrono::seconds(config.gc_interval);
  collector = std::make_unique<gc::Collector>(options, first().clock(), *collector_client,
                                              storage.shards().references(),
                                              std::vector<chunk::Device*>{&storage.device()});
  auto taught = co_await collector->start();
  if (!taught) co_return fail(std::move(taught).error().in("collector"));
  co_return Result<>{};
}

Task<Result<>> Node::State::connect(Station& station, std::uint64_t process) {
  auto client = co_await storage.shards().connect({station.core.executor(), &station.core.clock()}, process);
  if (!client) co_return fail(std::move(client).error().in("session"));
  station.client = std::move(*client);
  co_return Result<>{};
}

Task<Result<>> Node::State::establish_tenant(std::optional<RootCredential> given) {
  const fs::Services services_of_first = services(*stations.front());
  auto made = co_await fs::bootstrap(services_of_first, [this](TenantId id) -> Result<> {
    if (key_file.tenant_key(id)) return {};
    return key_file.add_tenant(id, rng);
  });
  if (!made) co_return fail(std::move(made).error().in("tenant"));
  tenant = *made;
  fs::Identities identities(services_of_first, keys_made);
  auto access = co_await establish_root(std::move(given), storage.path("root-credential"), storage.disk(),
                                        identities, tenant);
  if (!access) co_return fail(std::move(access).error().in("root credential"));
  root = std::move(*access);
  co_return Result<>{};
}

Task<Result<>> Node::State::open_file_system(Station& station) {
  auto opened = co_await fs::FileSystem::open(services(station));
  if (!opened) co_return fail(std::move(opened).error().in("file system"));
  station.file_system = std::move(*opened);
  station.identities = std::make_unique<fs::Identities>(services(station), keys_made);
  co_return Result<>{};
}

Result<> Node::State::open_stations(std::optional<RootCredential> given) {
  for (auto& core : storage.cores()) {
    stations.push_back(std::make_unique<Station>(*core, key_file));
    KISEKI_TRY(run_on(first(), connect(*stations.back(), stations.size())));
  }
  KISEKI_TRY(run_on(first(), establish_tenant(std::move(given))));
  for (auto& station : stations) KISEKI_TRY(run_on(station->core, open_file_system(*station)));
  return {};
}

Result<> Node::State::open_access_log() {
  if (config.access_log == AccessLogTo::off) return {};
  std::filesystem::path file = config.access_log_file;
  if (file.empty()) file = storage.path("access.log");
  if (config.access_log == AccessLogTo::standard_error) file.clear();
  auto opened = AccessLogFile::open(std::move(file));
  if (!opened) return fail(std::move(opened).error().in("s3.access_log_file"));
  access_log = std::move(*opened);
  return {};
}

Result<> Node::State::open_faces() {
  Station& station = *stations.front();
  commands.emplace(admin_api::Commands::Backend{&station.file_system->namespaces(), station.identities.get(),
                                                tenant, config.region, [this] { return report(); }});
  auto opened = admin_api::AdminServer::open(storage.directory().path(), first().executor(), first().clock(),
                                             *commands);
  if (!opened) return fail(std::move(opened).error());
  admin = std::move(*opened);
  KISEKI_TRY(open_access_log());
  std::vector<S3Face::Place> places;
  for (auto& each : stations)
    places.push_back({&each->core, each->file_system.get(), each->identities.get()});
  s3::HttpOptions http;
  http.address = config.s3;
  http.connections_max = config.s3_connections_max;
  http.limits.rate_min = config.s3_rate_min;
  s3 = std::make_unique<S3Face>(
      std::move(places), std::move(http),
      s3::ServiceOptions{
          .region = config.region, .domain = config.domain, .presigned_v2 = config.presigned_v2},
      S3Face::Shared{&memory, access_log.get()});
  return run_on(first(), s3->start());
}

Task<> Node::State::start_background() {
  admin->start();
  scope.spawn(watch());
  scope.spawn(stations.front()->file_system->sweep());
  scope.spawn(collector->run(scope));
  co_return;
}

Task<admin_api::NodeReport> Node::State::report() {
  admin_api::NodeReport report;
  report.version = KISEKI_VERSION;
  report.uptime = first().clock().now() - started;
  report.ready = ready;
  report.s3 = s3->endpoint();
  report.cores = storage.cores().size();
  for (const auto& shard : co_await storage.shards().status()) {
    report.shards.push_back({shard.id.value(), shard.first, shard.last, shard.applied, shard.leader()});
  }
  const auto device = co_await storage.device().status();
  if (device) {
    report.device_capacity = device->capacity;
    report.device_used = device->used;
    report.device_chunks = device->fragments;
  }
  report.device_failure = device ? device->failure : device.error().to_string();
  report.log_bytes = storage.log().live_bytes();
  const crypto::KeyMemory key_memory = crypto::key_memory();
  report.key_bytes = key_memory.total;
  report.unlocked_key_bytes = key_memory.unlocked;
  const auto& garbage = collector->status();
  report.garbage = {.epoch = garbage.epoch.value(),
                    .rounds = garbage.rounds,
                    .candidates = garbage.candidates,
                    .freed_chunks = garbage.freed_chunks,
                    .freed = garbage.freed,
                    .pending = garbage.pending,
                    .stalled = garbage.stalled};
  co_return report;
}

Task<> Node::State::watch() {
  while (co_await scope.sleep(first().clock(), std::chrono::milliseconds(200))) {
    if (const auto failure = storage.shards().failure()) {
      ready = false;
      failed(*failure);
      co_return;
    }
    // Reads go on; who balances load sends writes elsewhere.
    const auto device = co_await storage.device().status();
    if (ready && (!device || !device->failure.empty())) ready = false;
  }
}

Task<> Node::State::stop_faces() {
  if (s3) co_await s3->stop();
  if (admin) co_await admin->stop();
  scope.request_stop();
  for (auto& station : stations) {
    if (station->file_system) co_await on(station->core.executor(), station->file_system->stop());
  }
  co_await scope.stop();
  co_await probes->stop();
}

void Node::State::stop() {
  ready = false;
  if (running) run_on(first(), stop_faces());
  storage.stop();
}

Result<std::unique_ptr<Node>> Node::start(Config config, std::optional<RootCredential> root,
                                          std::function<void(Error)> failed) {
  KISEKI_TRY(check_free(config));
  auto directory = DataDirectory::open(config.data);
  if (!directory) return fail(std::move(directory).error());
  if (config.unlocked_keys == UnlockedKeys::refuse) KISEKI_TRY(crypto::refuse_unlocked_keys());
  SystemRng rng;
  auto keys = open_keys(config, *directory, rng);
  if (!keys) return fail(std::move(keys).error());
  auto state =
      std::make_unique<State>(std::move(config), std::move(failed), std::move(*directory), std::move(*keys));
  KISEKI_TRY(state->start(std::move(root)));
  return std::unique_ptr<Node>(new Node(std::move(state)));
}

Node::Node(std::unique_ptr<State> state) : state_(std::move(state)) {}
Node::~Node() = default;

std::string Node::s3_endpoint() const { return state_->s3->endpoint(); }
std::string Node::admin_endpoint() const { return state_->admin_endpoint; }
void Node::reopen_logs() {
  if (state_->access_log) state_->access_log->reopen();
}
const RootAccess& Node::root() const { return state_->root; }
const std::filesystem::path& Node::data() const { return state_->storage.directory().path(); }

}  // namespace kiseki::apps
