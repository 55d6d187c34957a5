#pragma once

#include <map>
#include <memory>

#include "raft/testing/simulated_transport.h"
#include "shard/node.h"
#include "shard/shard_port.h"

namespace kiseki::shard {

/// A call on its way from one node to another: the objects stay in this process, the network carries its
/// number.
class Exchange {
 public:
  virtual ~Exchange() = default;
  /// On the node that is asked.
  virtual Task<> carry_out(Node& there) = 0;
};

/// Every call that has not arrived yet, of all nodes of a cluster.
class Exchanges {
 public:
  using Number = std::uint64_t;

  Number add(std::shared_ptr<Exchange> exchange) {
    calls_.emplace(++last_, std::move(exchange));
    return last_;
  }
  /// Null when it has arrived before.
  std::shared_ptr<Exchange> take(Number number) {
    auto found = calls_.extract(number);
    return found ? std::move(found.mapped()) : nullptr;
  }

 private:
  Number last_ = 0;
  std::map<Number, std::shared_ptr<Exchange>> calls_;  // shared by who asks and who answers
};

/// The other nodes of a cluster over a simulated network, with its delays, losses and cuts. A call arrives at
/// most once, as over TCP, maybe long after its caller has given up.
class ClusterPeers final : public Peers {
 public:
  struct Services {
    sim::SimulatedNetwork& network;
    Exchanges& exchanges;
    Clock& clock;
    Executor executor;
  };
  ClusterPeers(Services services, raft::NodeId node);
  ~ClusterPeers() override;

  std::vector<raft::NodeId> nodes() const override { return nodes_; }
  raft::Transport& transport() override { return transport_; }
  ShardPort& port(raft::NodeId node, ShardId shard) override;
  Task<Result<Clocks>> clocks(raft::NodeId node) override;

  void set_nodes(std::vector<raft::NodeId> nodes) { nodes_ = std::move(nodes); }
  /// Begins to listen; what arrives before there is a node is lost.
  void open();
  /// Null: there is none.
  void set_node(Node* node) { here_ = node; }
  /// Nothing comes or goes any more; calls under way end at once.
  void close();
  /// Returns when nothing is under way.
  Task<> stop();

  /// `timed_out` when nothing was heard in time.
  Task<Result<>> ask(raft::NodeId to, std::shared_ptr<Exchange> exchange, Duration limit);

 private:
  class RemotePort;
  struct Asking {
    bool is_answered = false;
    ::kiseki::Event over;
  };

  void take(raft::NodeId from, View bytes);
  Task<Result<>> receive_snapshot(raft::GroupId group, raft::Message message, raft::SnapshotSource& source);
  Task<> serve(raft::NodeId from, Exchanges::Number number, std::shared_ptr<Exchange> exchange);
  void post(raft::NodeId to, std::uint8_t kind, Exchanges::Number number);

  Services services_;
  std::vector<raft::NodeId> nodes_;
  raft::SimulatedTransport transport_;
  Scope scope_;
  Node* here_ = nullptr;
  std::map<Exchanges::Number, Asking*> asking_;
  std::map<std::pair<raft::NodeId, ShardId>, std::unique_ptr<RemotePort>> ports_;
};

}  // namespace kiseki::shard
