#include "shard/testing/cluster_peers.h"

#include "base/codec.h"

namespace kiseki::shard {

namespace {
constexpr Duration patience = std::chrono::seconds(2);
}  // namespace

ClusterPeers::ClusterPeers(Services services, raft::NodeId node)
    : services_(services),
      transport_(services.network, node, services.clock, services.executor),
      scope_(services.executor) {}

ClusterPeers::~ClusterPeers() = default;

/// No longer than a node needs that is there: its own waits come on top.
Task<Result<std::string>> ClusterPeers::call(raft::NodeId node, std::string call, Duration limit) {
  co_return co_await ask(node, Kind::call, std::move(call), std::min(limit, 2 * patience));
}

Task<Result<Clocks>> ClusterPeers::clocks(raft::NodeId node) {
  const auto reply = co_await ask(node, Kind::clocks_call, {}, patience);
  if (!reply) co_return fail(reply.error());
  Decoder in(as_view(*reply));
  Clocks clocks;
  clocks.wall = WallTime(WallTime::duration(static_cast<WallTime::rep>(in.integer<std::uint64_t>())));
  clocks.newest = in.id<Stamp>();
  KISEKI_CO_TRY(in.finish("clocks"));
  co_return clocks;
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

void ClusterPeers::post(raft::NodeId to, const Parcel& parcel) {
  std::string bytes;
  Encoder(bytes).enumerator(parcel.kind).integer(parcel.number).raw(as_view(parcel.body));
  transport_.post(to, as_view(bytes));
}

Task<Result<std::string>> ClusterPeers::ask(raft::NodeId to, Kind kind, std::string body, Duration limit) {
  if (scope_.stopping()) co_return fail(Errc::unavailable, "this node stops");
  const auto number = services_.numbers.add();
  Asking asking;
  asking_.emplace(number, &asking);
  post(to, {.kind = kind, .number = number, .body = std::move(body)});
  co_await asking.over.wait_for(services_.clock, limit);
  asking_.erase(number);
  if (asking.reply) co_return std::move(*asking.reply);
  if (scope_.stopping()) co_return fail(Errc::unavailable, "this node stops");
  co_return fail(Errc::timed_out, "the other node does not answer");
}

void ClusterPeers::take(raft::NodeId from, View bytes) {
  Decoder in(bytes);
  const auto kind = static_cast<Kind>(in.integer<std::uint8_t>());
  const auto number = in.integer<CallNumbers::Number>();
  std::string body(as_text(in.rest()));
  if (kind == Kind::reply || kind == Kind::clocks_reply) {
    const auto found = asking_.find(number);
    if (found == asking_.end()) return;
    found->second->reply = std::move(body);
    return found->second->over.set();
  }
  if (here_ == nullptr || !services_.numbers.arrive(number)) return;
  scope_.spawn(serve(from, {.kind = kind, .number = number, .body = std::move(body)}));
}

Task<> ClusterPeers::serve(raft::NodeId from, Parcel call) {
  if (here_ == nullptr) co_return;
  Parcel reply{.kind = Kind::reply, .number = call.number, .body = {}};
  if (call.kind == Kind::call) {
    reply.body = co_await here_->serve(std::move(call.body));
  } else {
    reply.kind = Kind::clocks_reply;
    const Clocks clocks = here_->clocks();
    Encoder(reply.body)
        .integer(static_cast<std::uint64_t>(clocks.wall.time_since_epoch().count()))
        .id(clocks.newest);
  }
  post(from, reply);
}

}  // namespace kiseki::shard
