#include "shard/testing/cluster_peers.h"

#include "base/codec.h"

namespace kiseki::shard {

using detail::ShardPort;

namespace {

constexpr std::uint8_t request = 1, answer = 2;
constexpr Duration patience = std::chrono::seconds(2);

template <class T>
using Call = std::function<Task<Result<T>>(ShardPort&)>;

template <class T>
class ExchangeOf final : public Exchange {
 public:
  ExchangeOf(ShardId shard, Call<T> call) : Exchange(shard), call_(std::move(call)) {}

  Task<> carry_out(ShardPort* port, Clock&) override {
    if (port == nullptr) {
      answer_ = fail(Errc::not_leader, "no replica here");
      co_return;
    }
    answer_ = co_await call_(*port);
    // To the one who asks it is not his own end.
    if (!*answer_ && answer_->error().code() == Errc::cancelled) {
      answer_ = fail(Errc::unavailable, "the other node stops");
    }
  }
  Result<T> result() { return std::move(*answer_); }

 private:
  Call<T> call_;
  std::optional<Result<T>> answer_;
};

class WallExchange final : public Exchange {
 public:
  WallExchange() : Exchange(ShardId(0)) {}
  Task<> carry_out(ShardPort*, Clock& clock) override {
    wall = clock.wall();
    co_return;
  }

  WallTime wall;
};

}  // namespace

/// A shard on another node.
class ClusterPeers::RemotePort final : public ShardPort {
 public:
  RemotePort(ClusterPeers& peers, raft::NodeId node, ShardId shard)
      : peers_(peers), node_(node), shard_(shard) {}

  Task<Result<detail::Answer>> propose(detail::Proposal proposal, detail::Attempt attempt) override {
    return ask<detail::Answer>([proposal = std::move(proposal), attempt](ShardPort& port) {
      return port.propose(proposal, attempt);
    });
  }
  Task<Result<detail::PartReply>> read(detail::PartRequest part) override {
    return ask<detail::PartReply>([part = std::move(part)](ShardPort& port) { return port.read(part); });
  }
  Task<Result<detail::Status>> status(detail::Holder holder) override {
    return ask<detail::Status>([holder = std::move(holder)](ShardPort& port) { return port.status(holder); });
  }
  Task<Result<bool>> released(detail::TransactionId id, Duration limit) override {
    return ask<bool>([id, limit](ShardPort& port) { return port.released(id, limit); }, limit);
  }
  Task<Result<detail::Standings>> standing() override {
    return ask<detail::Standings>([](ShardPort& port) { return port.standing(); });
  }
  Task<Result<detail::Scanned>> scan(Kind kind, Stamp after, std::uint32_t rows_max) override {
    return ask<detail::Scanned>(
        [kind, after, rows_max](ShardPort& port) { return port.scan(kind, after, rows_max); });
  }
  Task<Result<std::vector<Row>>> pending(detail::GoneSessions gone, std::uint32_t rows_max) override {
    return ask<std::vector<Row>>(
        [gone = std::move(gone), rows_max](ShardPort& port) { return port.pending(gone, rows_max); });
  }
  Task<Result<std::vector<SessionId>>> beat(std::vector<SessionId> sessions) override {
    return ask<std::vector<SessionId>>(
        [sessions = std::move(sessions)](ShardPort& port) { return port.beat(sessions); });
  }
  Task<Result<std::vector<SessionId>>> silent(std::vector<SessionId> open) override {
    return ask<std::vector<SessionId>>(
        [open = std::move(open)](ShardPort& port) { return port.silent(open); });
  }
  Task<Result<detail::Judgement>> judge(std::vector<ChunkId> chunks) override {
    return ask<detail::Judgement>(
        [chunks = std::move(chunks)](ShardPort& port) { return port.judge(chunks); });
  }
  Task<Result<detail::ReferenceRows::Page>> dead(ChunkId from, GcEpoch below,
                                                 std::uint32_t rows_max) override {
    return ask<detail::ReferenceRows::Page>(
        [from, below, rows_max](ShardPort& port) { return port.dead(from, below, rows_max); });
  }

 private:
  template <class T>
  Task<Result<T>> ask(Call<T> call, Duration more = {}) {
    const auto exchange = std::make_shared<ExchangeOf<T>>(shard_, std::move(call));
    KISEKI_CO_TRY(co_await peers_.ask(node_, exchange, patience + more));
    co_return exchange->result();
  }

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

Task<Result<WallTime>> ClusterPeers::wall(raft::NodeId node) {
  const auto exchange = std::make_shared<WallExchange>();
  KISEKI_CO_TRY(co_await ask(node, exchange, patience));
  co_return exchange->wall;
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
  post(to, request, number);
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
  if (kind == answer) {
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
  co_await exchange->carry_out(here_->port(exchange->shard), services_.clock);
  post(from, answer, number);
}

}  // namespace kiseki::shard
