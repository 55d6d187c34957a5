#include "shard/testing/cluster_peers.h"

#include "base/codec.h"

namespace kiseki::shard {

namespace {

constexpr std::uint8_t call_kind = 1, reply_kind = 2;
constexpr Duration patience = std::chrono::seconds(2);

class PortExchange final : public Exchange {
 public:
  PortExchange(ShardId shard, Request request) : shard_(shard), request_(std::move(request)) {}

  Task<> carry_out(Node& there) override {
    ShardPort* const port = there.port(shard_);
    if (port == nullptr) {
      reply = fail(Errc::not_leader, "no replica here");
      co_return;
    }
    reply = co_await port->call(std::move(request_));
    // To the one who asks it is not his own end.
    if (!*reply && reply->error().code() == Errc::cancelled) {
      reply = fail(Errc::unavailable, "the other node stops");
    }
  }

  std::optional<Result<Reply>> reply;

 private:
  const ShardId shard_;
  Request request_;
};

class ClockExchange final : public Exchange {
 public:
  Task<> carry_out(Node& there) override {
    clocks = there.clocks();
    co_return;
  }

  Clocks clocks;
};

}  // namespace

/// A shard on another node.
class ClusterPeers::RemotePort final : public ShardPort {
 public:
  RemotePort(ClusterPeers& peers, raft::NodeId node, ShardId shard)
      : peers_(peers), node_(node), shard_(shard) {}

  Task<Result<Reply>> call(Request request) override {
    const auto* waits = std::get_if<ReleasedRequest>(&request);
    const Duration limit = patience + (waits != nullptr ? waits->limit : Duration::zero());
    const auto exchange = std::make_shared<PortExchange>(shard_, std::move(request));
    KISEKI_CO_TRY(co_await peers_.ask(node_, exchange, limit));
    co_return std::move(*exchange->reply);
  }

 private:
  ClusterPeers& peers_;
  raft::NodeId node_;
  ShardId shard_;
};

ClusterPeers::ClusterPeers(Services services, raft::NodeId node)
    : services_(services),
      transport_(services.network, node, services.clock, services.executor),
      scope_(services.executor) {}

ClusterPeers::~ClusterPeers() = default;

ShardPort& ClusterPeers::port(raft::NodeId node, ShardId shard) {
  auto& port = ports_[{node, shard}];
  if (!port) port = std::make_unique<RemotePort>(*this, node, shard);
  return *port;
}

Task<Result<Clocks>> ClusterPeers::clocks(raft::NodeId node) {
  const auto exchange = std::make_shared<ClockExchange>();
  KISEKI_CO_TRY(co_await ask(node, exchange, patience));
  co_return exchange->clocks;
}

void ClusterPeers::open() {
  transport_.open({.step =
                       [this](raft::GroupId group, std::vector<raft::Message> messages, FramePtr frame) {
                         if (here_ != nullptr) here_->receive(group, std::move(messages), std::move(frame));
                       },
                   .receive_snapshot =
                       [this](raft::GroupId group, raft::Message message, raft::SnapshotSource& source) {
                         return receive_snapshot(group, std::move(message), source);
                       },
                   .take = [this](raft::NodeId from, View bytes) { take(from, bytes); }});
}

Task<Result<>> ClusterPeers::receive_snapshot(raft::GroupId group, raft::Message message,
                                              raft::SnapshotSource& source) {
  if (here_ == nullptr) co_return fail(Errc::unavailable, "the node is starting");
  co_return co_await here_->receive_snapshot(group, std::move(message), source);
}

void ClusterPeers::close() {
  transport_.close();
  here_ = nullptr;
  scope_.request_stop();
  for (const auto& [number, asking] : asking_) asking->over.set();
}

Task<> ClusterPeers::stop() {
  co_await transport_.stop();
  co_await scope_.stop();
}

void ClusterPeers::post(raft::NodeId to, std::uint8_t kind, Exchanges::Number number) {
  std::string bytes;
  Encoder(bytes).integer(kind).integer(number);
  transport_.post(to, as_view(bytes));
}

Task<Result<>> ClusterPeers::ask(raft::NodeId to, std::shared_ptr<Exchange> exchange, Duration limit) {
  if (scope_.stopping()) co_return fail(Errc::unavailable, "this node stops");
  const auto number = services_.exchanges.add(std::move(exchange));
  Asking asking;
  asking_.emplace(number, &asking);
  post(to, call_kind, number);
  co_await asking.over.wait_for(services_.clock, limit);
  asking_.erase(number);
  if (asking.is_answered) co_return Result<>{};
  if (scope_.stopping()) co_return fail(Errc::unavailable, "this node stops");
  co_return fail(Errc::timed_out, "the other node does not answer");
}

void ClusterPeers::take(raft::NodeId from, View bytes) {
  Decoder in(bytes);
  const auto kind = in.integer<std::uint8_t>();
  const auto number = in.integer<Exchanges::Number>();
  if (kind == reply_kind) {
    const auto found = asking_.find(number);
    if (found == asking_.end()) return;
    found->second->is_answered = true;
    return found->second->over.set();
  }
  if (here_ == nullptr) return;
  if (auto exchange = services_.exchanges.take(number)) {
    scope_.spawn(serve(from, number, std::move(exchange)));
  }
}

Task<> ClusterPeers::serve(raft::NodeId from, Exchanges::Number number, std::shared_ptr<Exchange> exchange) {
  if (here_ == nullptr) co_return;
  co_await exchange->carry_out(*here_);
  post(from, reply_kind, number);
}

}  // namespace kiseki::shard
