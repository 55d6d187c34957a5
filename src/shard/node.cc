#include "shard/node.h"

#include "base/assert.h"
#include "base/crossing.h"
#include "base/logging.h"
#include "base/scope.h"
#include "shard/client/registry.h"
#include "shard/client/session_keeper.h"
#include "shard/node/checkpoint.h"
#include "shard/node/cluster_replicas.h"
#include "shard/node/first_boot.h"
#include "shard/node/handover.h"
#include "shard/node/map_keeper.h"
#include "shard/node/sweeper.h"

namespace kiseki::shard {

using namespace detail;

namespace {

Task<std::unordered_map<raft::GroupId, raft::Recovered>> recovered_of(raft::Log& log) {
  co_return log.take_recovered();
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
        handover_(watch_, replicas_, *home().clock),
        checkpoint_(options_.log_limit, services_.store, services_.log, replicas_, *home().clock,
                    services_.pool) {
    if (!is_alone()) network_ = std::make_unique<ClusterReplicas>(replicas_, services_.peers->channel());
    map_ = std::make_unique<MapKeeper>(MapKeeper::Services{.replicas = replicas_,
                                                           .network = network_.get(),
                                                           .clock = *home().clock,
                                                           .scope = background_,
                                                           .changed = changed_,
                                                           .fail = failing()});
  }

  Task<Result<>> open();
  Task<Result<std::unique_ptr<Client>>> connect(CoreServices core, std::uint64_t process) {
    return on(home().executor, sessions_->connect(core, process));
  }
  ChunkReferences references() const { return ChunkReferences(routes()); }
  Task<std::vector<ShardStatus>> status();
  std::optional<Error> failure() const { return checkpoint_.failure(); }
  Task<Result<ShardId>> split(ShardId shard, Slot first) {
    return on(home().executor, map_->split(shard, first));
  }
  LocalReplicas& replicas() noexcept { return replicas_; }
  CallServer& calls() noexcept { return calls_; }
  Clocks clocks() { return {.wall = home().clock->wall(), .newest = replicas_.stamps().newest()}; }
  Task<> stop();
  /// Lets go of what a failed start has opened.
  Task<> abandon();

 private:
  const CoreServices& home() const { return services_.cores.front(); }
  const Routes& routes() const { return map_->routes(); }
  bool is_alone() const { return services_.peers == nullptr; }
  LocalReplicas::Services for_replicas() const;
  std::function<void(Error)> failing() {
    return [this](Error error) { checkpoint_.set_failure(std::move(error)); };
  }
  /// Where the system shard is led: whoever does it asks all shards.
  Task<> sweep();

  const Options options_;
  const Services services_;
  // Shared with posted turns of the loop, which may come after the node has gone.
  std::shared_ptr<::kiseki::Event> changed_ = std::make_shared<::kiseki::Event>();
  Scope background_;
  LocalReplicas replicas_;
  CallServer calls_{replicas_};
  std::unique_ptr<ClusterReplicas> network_;  // in a cluster
  ClockWatch watch_;
  Handover handover_;
  Checkpoint checkpoint_;
  std::unique_ptr<MapKeeper> map_;
  std::unique_ptr<SessionKeeper> sessions_;
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

Task<Result<>> Node::State::open() {
  auto recovered = co_await on(services_.log.executor(), recovered_of(services_.log));
  const auto log_state = recovered.empty() ? LogState::empty : LogState::has_groups;
  const auto row = co_await establish(options_, services_.store, log_state, services_.pool);
  if (!row) co_return fail(row.error());
  if (is_alone()) co_await watch_.look();
  KISEKI_CO_TRY(co_await replicas_.open(std::move(recovered)));
  KISEKI_CO_TRY(co_await map_->open());
  sweeper_ = std::make_unique<Sweeper>(routes(), *home().clock);
  sessions_ = std::make_unique<SessionKeeper>(options_.id, routes(), home(), failing());
  background_.spawn(map_->look_around());
  background_.spawn(checkpoint_.run(background_));
  background_.spawn(sweep());
  sessions_->start();
  background_.spawn(handover_.run(background_));
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
  if (options.id == 0 || options.id > raft::node_max) {
    co_return fail(Errc::invalid_argument, "a node's id is from 1 to 4294967295");
  }
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

Task<Result<>> Node::change_members(ShardId shard, std::vector<raft::MemberChange> changes) {
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
