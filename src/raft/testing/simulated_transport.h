#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>

#include "base/scope.h"
#include "raft/replica.h"
#include "sim/simulated_network.h"

namespace kiseki::raft {

/// The way between the replicas of nodes over a simulated network: messages as bytes, snapshots in numbered
/// pieces, each confirmed and sent again a few times.
class SimulatedTransport final : public Transport {
 public:
  /// Takes what arrives at a node.
  struct Receiver {
    std::function<void(GroupId group, std::vector<Message> messages, FramePtr frame)> step;
    std::function<Task<Result<>>(GroupId group, Message message, SnapshotSource& source)> receive_snapshot;
    /// What others than replicas sent by `post`.
    std::function<void(NodeId from, View bytes)> take{};
  };

  /// The network and the clock outlive the transport, which must be closed first.
  SimulatedTransport(sim::SimulatedNetwork& network, NodeId node, Clock& clock, Executor executor);

  void send(GroupId group, std::span<const Message> messages) override;
  Task<Result<>> send_snapshot(GroupId group, const Message& message, SnapshotSource& source) override;

  /// For others than replicas, as it is.
  void post(NodeId to, View bytes);

  /// Begins to listen.
  void open(Receiver receiver);
  /// For the one replica of this node.
  void open(Replica& replica);
  /// Nothing comes or goes any more; what waits fails at once.
  void close();
  /// Returns when nothing is under way.
  Task<> stop() { co_await scope_.stop(); }

 private:
  struct Incoming;
  struct Outgoing {
    std::optional<Result<>> answer;
    std::uint32_t awaited = 0;
    Event changed;
  };

  void receive(NodeId from, const std::string& bytes);
  void take_piece(NodeId from, View bytes);
  void take_answer(View bytes);
  Task<> take_snapshot(NodeId from, std::uint64_t stream, std::shared_ptr<Incoming> incoming);
  void answer(NodeId to, std::uint64_t stream, std::uint32_t number, const Result<>& result);
  Task<Result<>> exchange(NodeId to, std::uint64_t stream, std::uint32_t number, std::string piece);

  sim::SimulatedNetwork& network_;
  NodeId node_;
  Clock& clock_;
  Scope scope_;
  Receiver receiver_;
  bool is_open_ = false;
  std::uint64_t last_stream_ = 0;
  std::map<std::uint64_t, Outgoing*> outgoing_;
  /// Shared by the coroutine that takes the snapshot and the pieces that arrive for it.
  std::map<std::uint64_t, std::shared_ptr<Incoming>> incoming_;
};

}  // namespace kiseki::raft
