#include "shard/node.h"

#include <algorithm>

#include "base/assert.h"
#include "base/crossing.h"
#include "base/logging.h"
#include "base/planted.h"
#include "base/scope.h"
#include "shard/client/cluster_routes.h"
#include "shard/client/registry.h"
#include "shard/client/session_keeper.h"
#include "shard/node/checkpoint.h"
#include "shard/node/clock_watch.h"
#include "shard/node/cluster_replicas.h"
#include "shard/node/heartbeats.h"
#include "shard/node/local_replicas.h"
#include "shard/node/sweeper.h"
#include "shard/rows/families.h"
#include "shard/rows/node_row.h"

namespace kiseki::shard {

using namespace detail;

namespace {

constexpr Duration look_interval = std::chrono::seconds(1);
/// Between two looks around, however much changes.
constexpr Duration look_pause = std::chrono::milliseconds(50);
constexpr Duration clock_interval = std::chrono::seconds(1);
constexpr Duration split_limit = std::chrono::seconds(30);

Task<std::unordered_map<raft::GroupId, raft::Recovered>> recovered_of(raft::Log& log) {
  co_return log.take_recovered();
}

/// The node's own row, made at the first start together with the shards' rows; durable before any log.
Task<Result<NodeRow>> establish(const Node::Options& options, kv::KvStore& store, bool has_groups,
                                BlockingPool& pool) {
  const auto bytes = store.get(family_state, as_view(NodeRow::key()));
  if (!bytes) co_return fail(bytes.error());
  if (*bytes) {
    const auto row = NodeRow::decode(as_view(**bytes));
    if (!row) co_return fail(row.error());
    if (row->cluster != options.cluster) {
      co_return fail(Errc::wrong_format, "the metadata store belongs to another cluster");
    }
    if (row->node != options.id)
      co_return fail(Errc::wrong_format, "the metadata store belongs to another node");
    co_return row;
  }
  if (has_groups)
    co_return fail(Errc::corrupted, "the log has entries of shards, the metadata store is empty");
  const NodeRow row{.cluster = options.cluster, .node = options.id, .data_shards = options.data_shards};
  kv::Batch batch;
  batch.put(family_state, NodeRow::key(), row.encode());
  const bool is_founder = std::ranges::find(options.founders, options.id) != options.founders.end();
  const auto ranges = is_founder ? ranges_of(row.data_shards) : std::vector<SlotRange>{};
  for (std::uint32_t i = 0; i < ranges.size(); ++i) {
    Machine::create(batch, ShardId(i), ranges[i], first_base(options.founders));
  }
  KISEKI_CO_TRY(store.write(batch));
  KISEKI_CO_TRY(co_await pool.run([&store] { return store.flush(); }));
  co_return row;
}

}  // namespace

class Node::State {
 public:
  State(Options options, Services services)
      : options_(std::move(options)),
        services_(std::move(services)),
        background_(home().executor),
        replicas_(for_replicas()),
        watch_(services_.peers, options_.id, *home().clock, replicas_.stamps()),
        checkpoint_(options_.log_limit, services_.store, services_.log, replicas_, *home().clock,
                    services_.pool) {
    if (is_alone()) return;
    network_ = std::make_unique<ClusterReplicas>(replicas_, services_.peers->channel());
    cluster_ = std::make_unique<ClusterRoutes>(*network_, *home().clock);
  }

  Task<Result<>> open();
  Task<Result<std::unique_ptr<Client>>> connect(CoreServices core, std::uint64_t process) {
    return on(home().executor, sessions_->connect(core, process));
  }
  ChunkReferences references() const { return ChunkReferences(routes()); }
  Task<std::vector<ShardStatus>> status();
  std::optional<Error> failure() const { return checkpoint_.failure(); }
  Task<Result<ShardId>> split(ShardId shard, Slot first) {
    return on(home().executor, split_at_home(shard, first));
  }
  LocalReplicas& replicas() noexcept { return replicas_; }
  CallServer& calls() noexcept { return calls_; }
  Clocks clocks() { return {.wall = home().clock->wall(), .newest = replicas_.stamps().newest()}; }
  Task<> stop();
  /// Lets go of what a failed start has opened.
  Task<> abandon();

 private:
  const CoreServices& home() const { return services_.cores.front(); }
  // The map is changed on one core.
  Task<Result<ShardId>> split_at_home(ShardId shard, Slot first);
  /// Waits until the shard that a split has made is open here.
  Task<Result<>> await_child(ShardId child);
  const Routes& routes() const { return cluster_ ? cluster_->routes() : *own_; }
  bool is_alone() const { return services_.peers == nullptr; }
  LocalReplicas::Services for_replicas() const;
  /// The key space as it is known here, to this node's own shards or to those of all nodes.
  void take_routes();
  /// Where the system shard is led: whoever does it asks all shards.
  Task<> sweep();
  /// Opens what splits have made, and begins what the node was made a member of.
  Task<> look_around();
  Task<Result<>> look_once();
  Task<Result<>> look_at_peers();
  /// Stamps are times: while the wall clock here is off, others are to lead (rule 1.7).
  Task<> watch_clock();
  Task<> hand_over(LocalReplica& replica);

  const Options options_;
  const Services services_;
  // Shared with posted turns of the loop, which may come after the node has gone.
  std::shared_ptr<::kiseki::Event> changed_ = std::make_shared<::kiseki::Event>();
  Scope background_;
  LocalReplicas replicas_;
  CallServer calls_{replicas_};
  std::unique_ptr<ClusterReplicas> network_;  // in a cluster
  ClockWatch watch_;
  ShardMap map_;
  std::unique_ptr<ClusterRoutes> cluster_;  // to the shards of all nodes
  std::unique_ptr<Routes> own_;             // of a node alone
  std::unique_ptr<SessionKeeper> sessions_;
  Checkpoint checkpoint_;
  std::unique_ptr<Sweeper> sweeper_;
};

LocalReplicas::Services Node::State::for_replicas() const {
  LocalReplicas::Services services{.store = services_.store,
                                   .log = services_.log,
                                   .pool = services_.pool,
                                   .cores = services_.cores,
                                   .node = options_.id};
  if (!is_alone()) {
    services.transport = &services_.peers->transport();
    services.others = services_.peers->channel().nodes();
  }
  services.on_change = [changed = changed_, executor = home().executor] {
    asio::post(executor, [changed] { changed->set(); });
  };
  return services;
}

void Node::State::take_routes() {
  if (cluster_) return cluster_->take(map_);
  std::vector<Route> routes;
  for (const auto& [id, range] : map_.shards) {
    routes.push_back({.id = id, .range = range, .port = replicas_.port(id)});
  }
  if (own_) {
    own_->replace(std::move(routes));
  } else {
    own_ = std::make_unique<Routes>(std::move(routes));
  }
}

Task<Result<>> Node::State::look_once() {
  KISEKI_CO_TRY(co_await replicas_.follow());
  co_await replicas_.survey(map_);
  take_routes();
  if (!is_alone()) KISEKI_CO_TRY(co_await look_at_peers());
  co_return Result<>{};
}

Task<Result<>> Node::State::look_at_peers() {
  auto joined = co_await SystemMap(routes()).join(map_);
  if (!joined) co_return fail(std::move(joined).error());
  map_ = std::move(*joined);
  take_routes();
  KISEKI_CO_TRY(co_await replicas_.begin_wanted(map_));
  // Shards that lie only elsewhere are learnt from the system shard alone.
  const auto coverage = co_await replicas_.coverage();
  if (coverage.missing()) co_return fail(Errc::not_found, "not every shard has a replica here");
  co_return Result<>{};
}

Task<> Node::State::look_around() {
  bool is_done = is_alone();
  while (true) {
    if (is_done) {
      co_await changed_->wait();
    } else {
      co_await changed_->wait_for(*home().clock, look_interval);
    }
    if (background_.stopping()) co_return;
    changed_->reset();
    const auto looked = co_await look_once();
    is_done = looked.has_value();
    if (!looked) log::debug("shard", "shards of this node: {}", looked.error().to_string());
    if (!co_await background_.sleep(*home().clock, look_pause)) co_return;
  }
}

Task<> Node::State::watch_clock() {
  bool was_off = false;
  do {
    co_await watch_.look();
    if (!std::exchange(was_off, watch_.is_off()) && was_off) {
      log::warning("shard",
                   "the wall clock of this node is off by more than half a second: it leads no shard");
    }
    if (!was_off || KISEKI_PLANTED("1.7 a leader whose clock is off goes on")) continue;
    for (LocalReplica* const replica : replicas_.all()) co_await hand_over(*replica);
  } while (co_await background_.sleep(*home().clock, clock_interval));
}

Task<> Node::State::hand_over(LocalReplica& replica) {
  const auto status = co_await replica.status();
  if (!status.leader()) co_return;
  for (const raft::NodeId voter : status.replica.conf.voters) {
    if (voter == options_.id || !watch_.is_near(voter)) continue;
    if (co_await replica.transfer_leader(voter)) co_return;
  }
}

Task<> Node::State::sweep() {
  while (co_await background_.sleep(*home().clock, Sweeper::interval)) {
    LocalReplica* const system = replicas_.find(routes().system().id);
    if (system == nullptr || !(co_await system->status()).leader()) continue;
    auto swept = co_await sweeper_->expire();
    if (swept) swept = co_await sweeper_->sweep();
    if (!swept && swept.error().code() != Errc::cancelled) {
      log::debug("shard", "sweep: {}", swept.error().to_string());
    }
  }
}

Task<Result<ShardId>> Node::State::split_at_home(ShardId shard, Slot first) {
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
  if (!recorded) changed_->set();
  co_return *child;
}

Task<Result<>> Node::State::await_child(ShardId child) {
  const BootTime deadline = home().clock->now() + split_limit;
  while (replicas_.find(child) == nullptr) {
    if (home().clock->now() >= deadline)
      co_return fail(Errc::timed_out, "split: the new shard does not open");
    if (!co_await background_.sleep(*home().clock, std::chrono::milliseconds(1))) {
      co_return fail(Errc::cancelled, "split: the node is stopping");
    }
  }
  co_return Result<>{};
}

Task<Result<>> Node::State::open() {
  auto recovered = co_await on(services_.log.executor(), recovered_of(services_.log));
  const auto row = co_await establish(options_, services_.store, !recovered.empty(), services_.pool);
  if (!row) co_return fail(row.error());
  if (is_alone()) co_await watch_.look();
  KISEKI_CO_TRY(co_await replicas_.open(std::move(recovered)));
  const auto coverage = co_await replicas_.coverage();
  if (is_alone() && coverage.missing()) {
    co_return fail(Errc::corrupted, "the shards here do not have all slots");
  }
  co_await replicas_.survey(map_);
  take_routes();
  if (is_alone()) KISEKI_CO_TRY(co_await SystemMap(routes()).join(map_));
  sweeper_ = std::make_unique<Sweeper>(routes(), *home().clock);
  sessions_ = std::make_unique<SessionKeeper>(
      options_.id, routes(), home(), [this](Error error) { checkpoint_.set_failure(std::move(error)); });
  background_.spawn(look_around());
  background_.spawn(checkpoint_.run(background_));
  background_.spawn(sweep());
  sessions_->start();
  background_.spawn(watch_clock());
  co_return Result<>{};
}

Task<std::vector<Node::ShardStatus>> Node::State::status() {
  std::vector<ShardStatus> all;
  for (LocalReplica* const replica : replicas_.all()) all.push_back(co_await replica->status());
  co_return all;
}

Task<> Node::State::stop() {
  background_.request_stop();
  replicas_.close();
  changed_->set();
  sessions_->request_stop();
  co_await sessions_->stop();
  co_await background_.stop();
  for (LocalReplica* const replica : replicas_.all()) co_await replica->quiet();
  if (!failure()) {
    if (const auto flushed = co_await checkpoint_.flush(); !flushed) {
      log::warning("shard", "the last flush failed; the log holds what it lacks: {}",
                   flushed.error().to_string());
    }
  }
  for (LocalReplica* const replica : replicas_.all()) co_await replica->stop();
}

Task<> Node::State::abandon() {
  replicas_.close();
  for (LocalReplica* const replica : replicas_.all()) {
    co_await replica->quiet();
    co_await replica->stop();
  }
}

Node::Node(std::unique_ptr<State> state) : state_(std::move(state)) {}
Node::~Node() = default;

std::vector<std::string> Node::families() { return {"rows", "feeds", "references", "state"}; }

Task<Result<std::unique_ptr<Node>>> Node::open(Options options, Services services) {
  KISEKI_ASSERT(!services.cores.empty());
  std::unique_ptr<Node> node(new Node(std::make_unique<State>(std::move(options), std::move(services))));
  if (auto opened = co_await node->state_->open(); !opened) {
    co_await node->state_->abandon();
    co_return fail(std::move(opened).error());
  }
  co_return node;
}

Task<Result<std::unique_ptr<Client>>> Node::connect(CoreServices core, std::uint64_t process) {
  co_return co_await state_->connect(core, process);
}

ChunkReferences Node::references() const { return state_->references(); }
Task<std::vector<Node::ShardStatus>> Node::status() { co_return co_await state_->status(); }
std::optional<Error> Node::failure() const { return state_->failure(); }
Task<Result<ShardId>> Node::split(ShardId shard, Slot first) {
  co_return co_await state_->split(shard, first);
}

Task<Result<>> Node::change_members(ShardId shard, std::vector<raft::ConfChange> changes) {
  LocalReplica* const replica = state_->replicas().find(shard);
  if (replica == nullptr) co_return fail(Errc::not_leader, "no replica of the shard is here");
  co_return co_await replica->change_members(std::move(changes));
}

Task<Result<>> Node::transfer_leader(ShardId shard, raft::NodeId to) {
  LocalReplica* const replica = state_->replicas().find(shard);
  if (replica == nullptr) co_return fail(Errc::not_leader, "no replica of the shard is here");
  co_return co_await replica->transfer_leader(to);
}

void Node::receive(ShardId shard, std::vector<raft::Message> messages, FramePtr frame) {
  state_->replicas().receive(shard, std::move(messages), std::move(frame));
}

Task<Result<>> Node::receive_snapshot(ShardId shard, raft::Message message, raft::SnapshotSource& source) {
  LocalReplica* const replica = state_->replicas().find(shard);
  if (replica == nullptr) co_return fail(Errc::not_found, "no replica of the shard is here");
  co_return co_await replica->receive_snapshot(std::move(message), source);
}

Clocks Node::clocks() const { return state_->clocks(); }

Task<std::string> Node::serve(std::string call) { return state_->calls().serve(std::move(call)); }

Task<> Node::stop() { co_await state_->stop(); }

}  // namespace kiseki::shard
