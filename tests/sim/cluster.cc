#include "sim/cluster.h"

#include <fmt/format.h>

namespace kiseki::sim {

namespace {

using std::chrono::milliseconds;

/// What a fault of a disk, or the rules, make of a node; anything else is a failure nobody caused.
bool is_explained(const Error& error) {
  return error.code() == Errc::io_error || error.code() == Errc::no_space || error.code() == Errc::fenced;
}

std::vector<raft::NodeId> first_ids(std::size_t count) {
  std::vector<raft::NodeId> ids;
  for (raft::NodeId id = 1; id <= count; ++id) ids.push_back(id);
  return ids;
}

}  // namespace

SimulatedCluster::SimulatedCluster(std::size_t founders, std::uint64_t seed, Trace& trace)
    : rng_(seed ^ 0xc1057e5),
      network_(loop_, seed),
      around_{.loop = loop_, .network = network_, .trace = trace, .founders = first_ids(founders)},
      began_(loop_.now()) {
  for (const raft::NodeId id : around_.founders) make(id);
  introduce();
  for (const auto& [id, node] : nodes_) start(*node);
}

SimulatedCluster::~SimulatedCluster() = default;

ClusterNode& SimulatedCluster::make(raft::NodeId id) {
  return *nodes_.emplace(id, std::make_unique<ClusterNode>(around_, id, rng_.next())).first->second;
}

ClusterNode& SimulatedCluster::add() {
  ClusterNode& node = make(nodes_.rbegin()->first + 1);
  introduce();
  start(node);
  return node;
}

void SimulatedCluster::introduce() {
  for (const auto& [id, node] : nodes_) {
    std::vector<raft::NodeId> others;
    for (const raft::NodeId other : living()) {
      if (other != id) others.push_back(other);
    }
    node->set_peers(std::move(others));
  }
}

std::vector<raft::NodeId> SimulatedCluster::living() const {
  std::vector<raft::NodeId> ids;
  for (const auto& [id, node] : nodes_) {
    if (!node->is_gone()) ids.push_back(id);
  }
  return ids;
}

ClusterNode* SimulatedCluster::pick(std::uint64_t argument) {
  const auto ids = living();
  return nodes_.at(ids[argument % ids.size()]).get();
}

std::map<ShardId, std::pair<ClusterNode*, shard::Node::ShardStatus>> SimulatedCluster::leaders() {
  std::map<ShardId, std::pair<ClusterNode*, shard::Node::ShardStatus>> found;
  for (const auto& [id, node] : nodes_) {
    for (const auto& status : node->statuses()) {
      if (!status.leader()) continue;
      const auto [place, is_new] = found.try_emplace(status.id, node.get(), status);
      if (!is_new && place->second.second.replica.term < status.replica.term) {
        place->second = {node.get(), status};
      }
    }
  }
  return found;
}

ClusterNode* SimulatedCluster::leader_of(ShardId shard) {
  const auto all = leaders();
  const auto found = all.find(shard);
  return found == all.end() ? nullptr : found->second.first;
}

void SimulatedCluster::later(Duration delay, std::function<void()> action) {
  later_.emplace(loop_.now() + delay, std::move(action));
}

void SimulatedCluster::advance(Duration until) {
  const BootTime target = began_ + until;
  while (loop_.now() < target && violation_.empty()) {
    BootTime next = std::min(target, loop_.now() + milliseconds(50));
    if (!later_.empty()) next = std::min(next, std::max(later_.begin()->first, loop_.now()));
    loop_.run_for(next - loop_.now());
    while (!later_.empty() && later_.begin()->first <= loop_.now()) {
      const auto action = later_.extract(later_.begin());
      action.mapped()();
    }
    watch();
  }
}

void SimulatedCluster::watch() {
  for (const auto& [id, node] : nodes_) {
    const auto failure = node->failure();
    if (!failure) continue;
    if (is_calm_ || !is_explained(*failure)) {
      violate(fmt::format("node {} failed: {}", id, failure->to_string()));
    }
    trace().note(loop_.now(), [&] { return fmt::format("node {} failed: {}", id, failure->to_string()); });
    restart(*node, ClusterNode::End::kill, milliseconds(500));
  }
  watch_leaders();
  if (on_watch_) on_watch_();
}

void SimulatedCluster::watch_leaders() {
  for (const auto& [id, node] : nodes_) {
    for (const auto& status : node->statuses()) {
      if (!status.leader()) continue;
      const auto [led, is_new] = led_.try_emplace({status.id, status.replica.term}, id);
      if (!is_new && led->second != id) {
        violate(fmt::format("shard {} has two leaders in term {}", status.id.value(), status.replica.term));
      }
    }
  }
}

void SimulatedCluster::restart(ClusterNode& node, ClusterNode::End how, Duration down) {
  node.end(how);
  later(down, [this, &node] { start(node); });
}

void SimulatedCluster::start(ClusterNode& node) {
  const auto started = node.start();
  if (!started && !is_explained(started.error())) {
    violate(fmt::format("node {} does not start: {}", node.id(), started.error().to_string()));
  }
}

void SimulatedCluster::heal() {
  trace().note(loop_.now(), [] { return "everything heals"; });
  later_.clear();
  network_.heal_all();
  network_.weather() = {};
  for (const auto& [id, node] : nodes_) {
    node->disk().faults() = {};
    node->set_full(false);
    node->clock().set_drift(0);
    start(*node);
  }
}

void SimulatedCluster::violate(std::string words) {
  if (violation_.empty()) violation_ = std::move(words);
}

}  // namespace kiseki::sim
