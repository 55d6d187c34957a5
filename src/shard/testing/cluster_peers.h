#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "raft/testing/simulated_transport.h"
#include "shard/node.h"

namespace kiseki::shard {

/// Calls that have not arrived yet, of all nodes of a cluster.
class CallNumbers {
 public:
  using Number = std::uint64_t;

  Number add() {
    under_way_.insert(++last_);
    return last_;
  }
  /// False when it has arrived before.
  bool arrive(Number number) { return under_way_.erase(number) > 0; }

 private:
  Number last_ = 0;
  std::set<Number> under_way_;
};

/// The other nodes of a cluster over a simulated network, with its delays, losses and cuts. A call arrives at
/// most once, as over TCP, maybe long after its caller has given up.
class ClusterPeers final : public Peers, public NodeChannel {
 public:
  struct Services {
    sim::SimulatedNetwork& network;
    CallNumbers& numbers;
    Clock& clock;
    Executor executor;
  };
  ClusterPeers(Services services, raft::NodeId node);
  ~ClusterPeers() override;

  std::vector<raft::NodeId> nodes() const override { return nodes_; }
  raft::Transport& transport() override { return transport_; }
  NodeChannel& channel() override { return *this; }
  Task<Result<std::string>> call(raft::NodeId node, std::string call, Duration limit) override;
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

 private:
  enum class Kind : std::uint8_t { call = 1, reply = 2, clocks_call = 3, clocks_reply = 4 };
  struct Asking {
    std::optional<std::string> reply;
    ::kiseki::Event over;
  };
  struct Parcel {
    Kind kind;
    CallNumbers::Number number;
    std::string body;
  };

  void take(raft::NodeId from, View bytes);
  Task<Result<>> receive_snapshot(raft::GroupId group, raft::Message message, raft::SnapshotSource& source);
  /// `timed_out` when nothing was heard in time.
  Task<Result<std::string>> ask(raft::NodeId to, Kind kind, std::string body, Duration limit);
  Task<> serve(raft::NodeId from, Parcel call);
  void post(raft::NodeId to, const Parcel& parcel);

  Services services_;
  std::vector<raft::NodeId> nodes_;
  raft::SimulatedTransport transport_;
  Scope scope_;
  Node* here_ = nullptr;
  std::map<CallNumbers::Number, Asking*> asking_;
};

}  // namespace kiseki::shard
