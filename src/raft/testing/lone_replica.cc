#include "raft/testing/lone_replica.h"

#include "base/assert.h"
#include "raft/message_codec.h"

namespace kiseki::raft {

namespace {

using std::chrono::milliseconds;

constexpr GroupId group{7};

Replica::Options options_of_test(Replica::Quiesce quiesce) {
  Replica::Options options;
  options.tick = milliseconds(50);
  options.election_ticks = 10;
  options.election_ticks_max = 20;
  options.clock_drift_max = 50;
  options.quiesce = quiesce;
  return options;
}

}  // namespace

LoneReplica::LoneReplica(std::uint64_t seed, SnapshotMeta base, Replica::Quiesce quiesce, ReplicaId id)
    : network_(loop_, seed) {
  const GroupSurroundings around{.loop = loop_,
                                 .network = network_,
                                 .history = history_,
                                 .trace = trace_,
                                 .options = options_of_test(quiesce),
                                 .disk_latency = milliseconds(40)};
  node_ = std::make_unique<GroupNode>(around, id, seed, std::move(base));
  node_->start();
  KISEKI_ASSERT(node_->is_up());
  for (const NodeId peer : {NodeId{2}, NodeId{3}}) {
    network_.attach(peer, [this, peer](NodeId, const std::string& bytes) { receive(peer, bytes); });
  }
}

LoneReplica::~LoneReplica() {
  for (const NodeId peer : {NodeId{2}, NodeId{3}}) network_.detach(peer);
  node_.reset();
}

void LoneReplica::restart() {
  node_->crash();
  sent_.clear();
  held_.clear();
  node_->start();
  KISEKI_ASSERT(node_->is_up());
}

void LoneReplica::give(const Message& message) {
  const std::string bytes = encode_messages(group, {&message, 1});
  const auto frame = std::make_shared<const Buffer>(Buffer::copy_of(as_view(bytes)));
  replica().step(parse_messages(frame->view())->messages, frame);
}

std::vector<Message> LoneReplica::take(MessageType type) {
  std::vector<Message> taken;
  for (const auto& [message, frame] : sent_) {
    if (message.type == type) taken.push_back(message);
  }
  std::erase_if(sent_, [type](const auto& one) { return one.first.type == type; });
  return taken;
}

/// The first byte says what kind of bytes these are (simulated_transport.cc); here all are messages.
void LoneReplica::receive(NodeId, const std::string& bytes) {
  const auto frame = std::make_shared<const Buffer>(Buffer::copy_of(as_view(bytes).subspan(1)));
  const auto parsed = parse_messages(frame->view());
  if (!parsed) return;
  for (const Message& message : parsed->messages) {
    sent_.emplace_back(message, frame);
    if (message.type == MessageType::heartbeat && holds_heartbeats_) {
      held_.emplace_back(message, frame);
    } else if (answers_ && node_->is_up()) {
      reply(message);
    }
  }
}

void LoneReplica::reply(const Message& message) {
  Message answer{.type = MessageType::append_response,
                 .to = message.from,
                 .from = message.to,
                 .term = message.term,
                 .context = message.context};
  switch (message.type) {
    case MessageType::append:
      answer.index = message.index + message.entries.size();
      break;
    case MessageType::heartbeat:
      answer.type = MessageType::heartbeat_response;
      break;
    case MessageType::request_vote:
      answer.type = MessageType::request_vote_response;
      break;
    case MessageType::request_pre_vote:
      answer.type = MessageType::request_pre_vote_response;
      break;
    default:
      return;
  }
  give(answer);
}

void LoneReplica::release() {
  holds_heartbeats_ = false;
  for (const auto& [message, frame] : std::exchange(held_, {})) reply(message);
}

void LoneReplica::lead() {
  answer();
  KISEKI_ASSERT(run_until([this] { return node_->is_leader() && replica().status().applied > 1; }));
}

Task<> LoneReplica::read(GroupNode& node, bool& may_be_served) {
  const GroupNode::Visit visit(node);
  const auto barrier = co_await node.replica().read_barrier();
  may_be_served = barrier.has_value();
}

void LoneReplica::start_read(bool& may_be_served) { loop_.spawn(read(*node_, may_be_served)); }

}  // namespace kiseki::raft
