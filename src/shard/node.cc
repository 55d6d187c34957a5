#include "shard/node.h"

#include "base/assert.h"
#include "base/logging.h"
#include "base/scope.h"
#include "shard/detail/checkpoint.h"
#include "shard/detail/families.h"
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
  Task<> stop();
  /// Lets go of what a failed start has opened.
  Task<> abandon();

 private:
  Task<Result<>> open_places(std::uint32_t data_shards,
                             std::unordered_map<raft::GroupId, raft::Recovered> recovered);
  Task<Result<>> record_map();

  std::vector<CoreServices> cores_;
  kv::KvStore& store_;
  raft::Log& log_;
  BlockingPool& pool_;
  std::vector<std::unique_ptr<Place>> places_;
  std::unique_ptr<Routes> routes_;
  std::vector<std::unique_ptr<Session>> sessions_;
  Scope background_;
  Checkpoint checkpoint_;
  std::unique_ptr<Sweeper> sweeper_;
  Options options_;
};

Task<Result<>> Node::State::open_places(std::uint32_t data_shards,
                                        std::unordered_map<raft::GroupId, raft::Recovered> recovered) {
  std::vector<Route> routes;
  for (std::uint32_t i = 0; i <= data_shards; ++i) {
    std::optional<raft::Recovered> mine;
    if (auto found = recovered.extract(ShardId(i)); !found.empty()) mine = std::move(found.mapped());
    auto place = co_await Place::open(ShardId(i), store_, log_, std::move(mine), cores_[i % cores_.size()]);
    if (!place) co_return fail(std::move(place).error());
    places_.push_back(std::move(*place));
    routes.push_back(places_.back()->route());
  }
  if (!recovered.empty()) co_return fail(Errc::corrupted, "the log has entries of shards that are not there");
  routes_ = std::make_unique<Routes>(std::move(routes));
  co_return Result<>{};
}

/// Others learn the map from the system shard; this node takes it from its own row.
Task<Result<>> Node::State::record_map() {
  std::vector<SlotRange> ranges;
  for (const auto& route : routes_->all()) ranges.push_back(route.range);
  Transaction transaction;
  transaction.require(Assert::Type::absent, system_key(Kind::map, {}));
  transaction.put(system_key(Kind::map, {}), map_record(ranges));
  const auto committed = co_await Registry(*routes_).commit(std::move(transaction));
  if (!committed && committed.error().code() != Errc::conflict) co_return committed;
  co_return Result<>{};
}

Task<Result<>> Node::State::open() {
  auto recovered = co_await hop(log_.executor(), recovered_of(log_));
  const auto row = co_await establish(options_, store_, !recovered.empty(), pool_);
  if (!row) co_return fail(row.error());
  KISEKI_CO_TRY(co_await open_places(row->data_shards, std::move(recovered)));
  KISEKI_CO_TRY(co_await record_map());
  sweeper_ = std::make_unique<Sweeper>(*routes_, *cores_.front().clock, Sweeper::Options{});
  background_.spawn(checkpoint_.run(background_));
  background_.spawn(sweeper_->run(background_));
  co_return Result<>{};
}

Task<Result<std::unique_ptr<Client>>> Node::State::connect(CoreServices core, std::uint64_t process) {
  const auto opened = co_await Registry(*routes_).open(process);
  if (!opened) co_return fail(opened.error());
  Session::Options options;
  options.id = *opened;
  sessions_.push_back(std::make_unique<Session>(options, *routes_, core));
  co_return std::make_unique<SessionClient>(*sessions_.back());
}

Task<std::vector<Node::ShardStatus>> Node::State::status() {
  std::vector<ShardStatus> all;
  for (const auto& place : places_) all.push_back(co_await place->status());
  co_return all;
}

Task<> Node::State::stop() {
  background_.request_stop();
  for (const auto& session : sessions_) co_await hop(session->executor(), session->stop());
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
Task<> Node::stop() { co_await state_->stop(); }

}  // namespace kiseki::shard
