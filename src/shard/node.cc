#include "shard/node.h"

#include <algorithm>

#include "base/assert.h"
#include "base/logging.h"
#include "base/scope.h"
#include "shard/detail/checkpoint.h"
#include "shard/detail/families.h"
#include "shard/detail/heartbeats.h"
#include "shard/detail/hop.h"
#include "shard/detail/node_row.h"
#include "shard/detail/registry.h"
#include "shard/detail/session_client.h"
#include "shard/detail/sweeper.h"

namespace kiseki::shard {

using namespace detail;

namespace {

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
    co_return row;
  }
  if (has_groups)
    co_return fail(Errc::corrupted, "the log has entries of shards, the metadata store is empty");
  const NodeRow row{.cluster = options.cluster, .data_shards = options.data_shards};
  kv::Batch batch;
  batch.put(family_state, NodeRow::key(), row.encode());
  const auto ranges = ranges_of(row.data_shards);
  for (std::uint32_t i = 0; i < ranges.size(); ++i) {
    Machine::create(batch, ShardId(i), ranges[i], first_base());
  }
  KISEKI_CO_TRY(store.write(batch));
  KISEKI_CO_TRY(co_await pool.run([&store] { return store.flush(); }));
  co_return row;
}

}  // namespace

class Node::State {
 public:
  State(Options options, kv::KvStore& store, raft::Log& log, std::vector<CoreServices> cores,
        BlockingPool& pool)
      : cores_(std::move(cores)),
        store_(store),
        log_(log),
        pool_(pool),
        background_(cores_.front().executor),
        checkpoint_(options.log_limit, store, log, places_, *cores_.front().clock, pool),
        options_(options) {}

  Task<Result<>> open();
  Task<Result<std::unique_ptr<Client>>> connect(CoreServices core, std::uint64_t process);
  ChunkReferences references() const { return ChunkReferences(*routes_); }
  Task<std::vector<ShardStatus>> status();
  std::optional<Error> failure() const { return checkpoint_.failure(); }
  Task<Result<ShardId>> split(ShardId shard, Slot first);
  Task<> stop();
  /// Lets go of what a failed start has opened.
  Task<> abandon();

 private:
  /// The map as it was read; of version 0 when there is none.
  struct KnownMap {
    ShardMap map;
    Stamp version;
  };
  bool is_open(ShardId shard) const;
  Task<Result<>> open_place(ShardId shard);
  Task<Result<>> open_places();
  Task<Result<>> take_routes();
  /// Tells the system shard that the sessions of this node are alive.
  Task<> beat();
  Task<Result<>> beat_once();
  /// Opens what splits have made.
  Task<> follow_splits();
  Task<Result<KnownMap>> read_map();
  Task<Result<>> write_map(KnownMap known, ShardMap next);
  Task<Result<>> record_map();
  /// An id that no shard had and no other will get.
  Task<Result<ShardId>> allocate_shard();

  std::vector<CoreServices> cores_;
  kv::KvStore& store_;
  raft::Log& log_;
  BlockingPool& pool_;
  std::vector<std::unique_ptr<Place>> places_;
  std::unordered_map<raft::GroupId, raft::Recovered> recovered_;  // of shards not opened yet
  // Shared with posted turns of the loop, which may come after the node has gone.
  std::shared_ptr<::kiseki::Event> changed_ = std::make_shared<::kiseki::Event>();
  std::unique_ptr<Routes> routes_;
  struct Connected {
    std::uint64_t process;
    std::unique_ptr<Session> session;
  };
  std::vector<Connected> connected_;
  Scope background_;
  Checkpoint checkpoint_;
  std::unique_ptr<Sweeper> sweeper_;
  Options options_;
};

bool Node::State::is_open(ShardId shard) const {
  return std::ranges::any_of(places_, [shard](const auto& place) { return place->id() == shard; });
}

Task<Result<>> Node::State::open_place(ShardId shard) {
  std::optional<raft::Recovered> mine;
  if (auto found = recovered_.extract(shard); !found.empty()) mine = std::move(found.mapped());
  const CoreServices core = cores_[shard.value() % cores_.size()];
  const auto on_change = [changed = changed_, home = background_.executor()] {
    asio::post(home, [changed] { changed->set(); });
  };
  auto place = co_await Place::open(
      shard, std::move(mine),
      {.store = store_, .log = log_, .pool = pool_, .core = core, .on_change = on_change});
  if (!place) co_return fail(std::move(place).error());
  places_.push_back(std::move(*place));
  co_return Result<>{};
}

/// Opening a shard applies what its log holds, and that may be a split.
Task<Result<>> Node::State::open_places() {
  for (bool opened = true; std::exchange(opened, false);) {
    const auto shards = Machine::all(store_);
    if (!shards) co_return fail(shards.error());
    for (const ShardId shard : *shards) {
      if (is_open(shard)) continue;
      KISEKI_CO_TRY(co_await open_place(shard));
      opened = true;
    }
  }
  co_return co_await take_routes();
}

Task<Result<>> Node::State::take_routes() {
  std::vector<Route> routes;
  Coverage coverage;
  for (const auto& place : places_) {
    routes.push_back(co_await place->route());
    coverage.add(routes.back().range);
  }
  // A split in between: its child is opened next.
  if (coverage.missing() && routes_) co_return Result<>{};
  if (coverage.missing()) co_return fail(Errc::corrupted, "the shards here do not have all slots");
  std::ranges::sort(routes, {}, [](const Route& route) { return route.range.first; });
  if (routes_) {
    routes_->replace(std::move(routes));
  } else {
    routes_ = std::make_unique<Routes>(std::move(routes));
  }
  co_return Result<>{};
}

Task<> Node::State::follow_splits() {
  while (true) {
    co_await changed_->wait();
    if (background_.stopping()) co_return;
    changed_->reset();
    const auto opened = co_await open_places();
    if (opened) continue;
    log::warning("shard", "a shard that a split made cannot be opened yet: {}", opened.error().to_string());
    if (co_await background_.sleep(*cores_.front().clock, std::chrono::seconds(1))) changed_->set();
  }
}

Task<> Node::State::beat() {
  while (co_await background_.sleep(*cores_.front().clock, Heartbeats::interval)) {
    const auto beaten = co_await beat_once();
    if (!beaten) log::debug("shard", "heartbeat: {}", beaten.error().to_string());
  }
}

Task<Result<>> Node::State::beat_once() {
  std::vector<SessionId> living;
  for (const auto& each : connected_) {
    if (!each.session->is_fenced()) living.push_back(each.session->id());
  }
  if (living.empty()) co_return Result<>{};
  const auto fenced = co_await Registry(*routes_).beat(std::move(living));
  if (!fenced) co_return fail(fenced.error());
  for (const auto& each : connected_) {
    if (std::ranges::find(*fenced, each.session->id()) == fenced->end()) continue;
    each.session->fence();
    checkpoint_.set_failure(Error(Errc::fenced, "this node was not heard in time, or its place was taken"));
  }
  co_return Result<>{};
}

Task<Result<Node::State::KnownMap>> Node::State::read_map() {
  PartRequest request;
  request.gets.push_back({system_key(Kind::map, {}), false});
  auto reply = co_await routes_->system().port->read(std::move(request));
  if (!reply) co_return fail(std::move(reply).error());
  const auto& record = reply->gets.front().record;
  if (!record) co_return KnownMap{};
  auto map = ShardMap::decode(*record);
  if (!map) co_return fail(std::move(map).error());
  co_return KnownMap{.map = std::move(*map), .version = record->version};
}

Task<Result<>> Node::State::write_map(KnownMap known, ShardMap next) {
  const Key row = system_key(Kind::map, {});
  Transaction transaction;
  transaction.require(known.version.is_none() ? Assert::Type::absent : Assert::Type::version, row,
                      known.version);
  transaction.put(row, next.record());
  co_return co_await Registry(*routes_).commit(std::move(transaction));
}

/// Others learn the map from the system shard; this node takes it from its own shards.
Task<Result<>> Node::State::record_map() {
  const auto known = co_await read_map();
  if (!known) co_return fail(known.error());
  ShardMap here{.next = known->map.next, .shards = {}};
  for (const auto& route : routes_->all()) {
    here.shards.push_back({.id = route.id, .range = route.range});
    here.next = std::max(here.next, ShardId(route.id.value() + 1));
  }
  if (here == known->map) co_return Result<>{};
  const auto written = co_await write_map(*known, std::move(here));
  // Another one was first; it had the same to write.
  if (!written && written.error().code() != Errc::conflict) co_return written;
  co_return Result<>{};
}

Task<Result<ShardId>> Node::State::allocate_shard() {
  auto known = co_await read_map();
  if (!known) co_return fail(std::move(known).error());
  ShardMap taken = known->map;
  const ShardId id = taken.next;
  taken.next = ShardId(id.value() + 1);
  KISEKI_CO_TRY(co_await write_map(std::move(*known), std::move(taken)));
  co_return id;
}

Task<Result<ShardId>> Node::State::split(ShardId shard, Slot first) {
  const auto route = routes_->find(shard);
  if (!route) co_return fail(Errc::not_found, "split: no such shard");
  if (!route->range.contains(first) || first == route->range.first) {
    co_return fail(Errc::invalid_argument, "split: not between two slots of the shard");
  }
  const auto child = co_await allocate_shard();
  if (!child) co_return child;
  const auto answer = co_await route->port->propose(
      {.stamp = {}, .body = Split{.child = *child, .first = first}}, Attempt::first);
  if (!answer) co_return fail(answer.error());
  if (answer->type == Answer::Type::wrong_shard) co_return fail(Errc::conflict, "split: another was first");
  if (answer->type != Answer::Type::decided) co_return fail(Errc::busy, "split: the replicas are changing");
  while (!routes_->find(*child)) {
    if (!co_await background_.sleep(*cores_.front().clock, std::chrono::milliseconds(1))) {
      co_return fail(Errc::cancelled, "split: the node is stopping");
    }
  }
  KISEKI_CO_TRY(co_await record_map());
  co_return *child;
}

Task<Result<>> Node::State::open() {
  recovered_ = co_await hop(log_.executor(), recovered_of(log_));
  const auto row = co_await establish(options_, store_, !recovered_.empty(), pool_);
  if (!row) co_return fail(row.error());
  KISEKI_CO_TRY(co_await open_places());
  if (!recovered_.empty())
    co_return fail(Errc::corrupted, "the log has entries of shards that are not there");
  KISEKI_CO_TRY(co_await record_map());
  sweeper_ = std::make_unique<Sweeper>(*routes_, *cores_.front().clock, Sweeper::Options{});
  background_.spawn(follow_splits());
  background_.spawn(checkpoint_.run(background_));
  background_.spawn(sweeper_->run(background_));
  background_.spawn(beat());
  co_return Result<>{};
}

Task<Result<std::unique_ptr<Client>>> Node::State::connect(CoreServices core, std::uint64_t process) {
  const auto opened = co_await Registry(*routes_).open(process);
  if (!opened) co_return fail(opened.error());
  Session::Options options;
  options.id = *opened;
  for (const auto& each : connected_) {
    if (each.process == process) each.session->fence();
  }
  connected_.push_back({process, std::make_unique<Session>(options, *routes_, core)});
  co_return std::make_unique<SessionClient>(*connected_.back().session);
}

Task<std::vector<Node::ShardStatus>> Node::State::status() {
  std::vector<ShardStatus> all;
  for (std::size_t i = 0; i < places_.size(); ++i) all.push_back(co_await places_[i]->status());
  co_return all;
}

Task<> Node::State::stop() {
  background_.request_stop();
  changed_->set();
  for (const auto& each : connected_) co_await hop(each.session->executor(), each.session->stop());
  co_await background_.stop();
  for (const auto& place : places_) co_await place->quiet();
  if (!failure()) {
    if (const auto flushed = co_await checkpoint_.flush(); !flushed) {
      log::warning("shard", "the last flush failed; the log holds what it lacks: {}",
                   flushed.error().to_string());
    }
  }
  for (const auto& place : places_) co_await place->stop();
}

Task<> Node::State::abandon() {
  for (const auto& place : places_) {
    co_await place->quiet();
    co_await place->stop();
  }
}

Node::Node(std::unique_ptr<State> state) : state_(std::move(state)) {}
Node::~Node() = default;

std::vector<std::string> Node::families() { return {"rows", "feeds", "references", "state"}; }

Task<Result<std::unique_ptr<Node>>> Node::open(Options options, kv::KvStore& store, raft::Log& log,
                                               std::vector<CoreServices> cores, BlockingPool& pool) {
  KISEKI_ASSERT(!cores.empty());
  std::unique_ptr<Node> node(new Node(std::make_unique<State>(options, store, log, std::move(cores), pool)));
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
Task<> Node::stop() { co_await state_->stop(); }

}  // namespace kiseki::shard
