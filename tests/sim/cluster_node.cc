#include "sim/cluster_node.h"

#include <fmt/format.h>
#include <limits>

namespace kiseki::sim {

namespace {

constexpr Bytes log_limit = 192_KiB;
constexpr Bytes segment_size = 128_KiB;
constexpr std::uint32_t data_shards = 2;

}  // namespace

ClusterNode::ClusterNode(ClusterSurroundings& around, raft::NodeId id, std::uint64_t seed)
    : around_(around),
      id_(id),
      rng_(seed),
      clock_(around.loop),
      disk_(clock_, seed, {.latency_max = std::chrono::milliseconds(1)}),
      store_(shard::Node::families().size()) {}

ClusterNode::~ClusterNode() {
  if (running_) stop();
}

Result<> ClusterNode::start() {
  if (is_gone_ || running_) return {};
  ++life_;
  running_ = std::make_unique<Running>(
      shard::ClusterPeers::Services{around_.network, around_.calls, clock_, around_.loop.executor()}, id_);
  running_->peers.set_nodes(peers_);
  auto opened = around_.loop.get(open(*running_));
  around_.trace.note(around_.loop.now(), [&] {
    return fmt::format("node {} starts: {}", id_, opened ? "ok" : opened.error().to_string());
  });
  if (!opened) stop();
  return opened;
}

Task<Result<>> ClusterNode::open(Running& running) {
  running.peers.open();
  auto log = co_await raft::Log::open(disk_, around_.loop.executor(), clock_,
                                      {.directory = "/node/log", .segment_size = segment_size});
  if (!log) co_return fail(std::move(log).error());
  running.log = std::move(*log);
  shard::Node::Options options;
  options.id = id_;
  options.founders = around_.founders;
  options.data_shards = data_shards;
  options.log_limit = log_limit;
  auto shards = co_await shard::Node::open(
      options,
      {.store = store_, .log = *running.log, .cores = {core()}, .pool = pool_, .peers = &running.peers});
  if (!shards) co_return fail(std::move(shards).error());
  running.shards = std::move(*shards);
  running.peers.set_node(running.shards.get());
  running.is_up = true;
  co_return Result<>();
}

void ClusterNode::stop() {
  Running& running = *running_;
  running.is_up = false;
  running.peers.close();
  if (running.shards) around_.loop.get(running.shards->stop());
  around_.loop.get(running.peers.stop());
  KISEKI_ASSERT(around_.loop.run_until([this] { return visits_ == 0; }));
  if (running.log) around_.loop.get(running.log->stop());
  running_.reset();
}

void ClusterNode::end(End how) {
  if (!running_) return;
  around_.trace.note(around_.loop.now(), [&] {
    return fmt::format("node {} {}", id_, how == End::kill ? "is killed" : "loses its power");
  });
  set_full(false);
  disk_.faults() = {};
  how == End::kill ? disk_.kill() : disk_.crash();
  store_.fail_writes(std::numeric_limits<std::uint64_t>::max());
  store_.set_full(true);
  stop();
  store_.crash(rng_.next());
  store_.fail_writes(0);
  store_.set_full(false);
}

void ClusterNode::destroy() {
  end(End::power_cut);
  is_gone_ = true;
}

void ClusterNode::set_peers(std::vector<raft::NodeId> nodes) {
  peers_ = std::move(nodes);
  if (running_) running_->peers.set_nodes(peers_);
}

ClusterNode::Statuses ClusterNode::statuses() {
  if (!is_up()) return {};
  return around_.loop.get(running_->shards->status());
}

std::optional<Error> ClusterNode::failure() const {
  return is_up() ? running_->shards->failure() : std::nullopt;
}

void ClusterNode::set_full(bool is_full) {
  disk_.set_capacity(is_full ? disk_.used() : SimulatedDisk::Options{}.capacity);
  store_.set_full(is_full);
}

}  // namespace kiseki::sim
