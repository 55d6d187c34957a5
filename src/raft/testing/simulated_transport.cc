#include "raft/testing/simulated_transport.h"

#include "base/codec.h"
#include "raft/message_codec.h"

namespace kiseki::raft {

namespace {

enum class Kind : std::uint8_t { messages = 1, piece = 2, answer = 3, other = 4 };

constexpr Duration answer_limit = std::chrono::milliseconds(400);
constexpr int attempts = 3;
/// The number of the message that ends a stream.
constexpr std::uint32_t last_piece = 0xffffffff;

}  // namespace

/// A snapshot on its way in: what arrived in order and is not taken yet.
struct SimulatedTransport::Incoming final : SnapshotSource {
  explicit Incoming(Clock& the_clock) : clock(the_clock) {}
  const SnapshotMeta& meta() const override { return message.snapshot->meta; }
  Task<Result<std::optional<std::string>>> next() override {
    while (pieces.empty() && !is_whole) {
      if (is_closed || !co_await arrived.wait_for(clock, answer_limit * (attempts + 1))) {
        co_return fail(Errc::timed_out, "the stream ended");
      }
      arrived.reset();
    }
    if (pieces.empty()) co_return std::nullopt;
    std::string piece = std::move(pieces.front());
    pieces.pop_front();
    co_return piece;
  }

  Clock& clock;
  GroupId group;
  Message message{.type = MessageType::snapshot};
  std::uint32_t expected = 1;
  std::deque<std::string> pieces;
  bool is_whole = false;
  bool is_closed = false;
  Event arrived;
  std::optional<Result<>> result;
};

SimulatedTransport::SimulatedTransport(sim::SimulatedNetwork& network, NodeId node, Clock& clock,
                                       Executor executor)
    : network_(network), node_(node), clock_(clock), scope_(executor) {
  // Streams of an earlier life are others.
  last_stream_ =
      (node << 48) + (static_cast<std::uint64_t>(clock.now().time_since_epoch().count()) >> 10 << 8);
}

void SimulatedTransport::open(Replica& replica) {
  open({.step = [&replica](GroupId, const std::vector<Message>& messages,
                           FramePtr frame) { replica.step(messages, std::move(frame)); },
        .receive_snapshot =
            [&replica](GroupId, Message message, SnapshotSource& source) {
              return replica.receive_snapshot(std::move(message), source);
            }});
}

void SimulatedTransport::open(Receiver receiver) {
  receiver_ = std::move(receiver);
  is_open_ = true;
  network_.attach(node_, [this](NodeId from, const std::string& bytes) { receive(from, bytes); });
}

void SimulatedTransport::close() {
  network_.detach(node_);
  is_open_ = false;
  scope_.request_stop();
  for (const auto& [stream, outgoing] : outgoing_) {
    if (!outgoing->answer) outgoing->answer = fail(Errc::unavailable, "closed");
    outgoing->changed.set();
  }
  for (const auto& [stream, incoming] : incoming_) {
    incoming->is_closed = true;
    incoming->arrived.set();
  }
}

void SimulatedTransport::send(GroupId group, std::span<const Message> messages) {
  if (scope_.stopping()) return;
  std::map<NodeId, std::vector<Message>> by_node;
  for (const Message& message : messages) by_node[node_of(message.to)].push_back(message);
  for (const auto& [to, own] : by_node) {
    std::string bytes(1, static_cast<char>(Kind::messages));
    network_.send(node_, to, bytes + encode_messages(group, own));
  }
}

void SimulatedTransport::post(NodeId to, View bytes) {
  if (scope_.stopping()) return;
  network_.send(node_, to, static_cast<char>(Kind::other) + std::string(as_text(bytes)));
}

void SimulatedTransport::receive(NodeId from, const std::string& bytes) {
  if (!is_open_ || bytes.empty()) return;
  const View rest = as_view(bytes).subspan(1);
  switch (static_cast<Kind>(bytes[0])) {
    case Kind::messages: {
      const auto frame = std::make_shared<const Buffer>(Buffer::copy_of(rest));
      auto parsed = parse_messages(frame->view());
      if (parsed) receiver_.step(parsed->group, std::move(parsed->messages), frame);
      break;
    }
    case Kind::piece:
      take_piece(from, rest);
      break;
    case Kind::answer:
      take_answer(rest);
      break;
    case Kind::other:
      receiver_.take(from, rest);
      break;
  }
}

void SimulatedTransport::take_piece(NodeId from, View bytes) {
  Decoder in(bytes);
  const auto stream = in.integer<std::uint64_t>();
  const auto number = in.integer<std::uint32_t>();
  const View piece = in.rest();
  auto found = incoming_.find(stream);
  if (found == incoming_.end()) {
    const auto opening = number == 0 ? parse_messages(piece) : fail(Errc::not_found, "no such stream");
    if (!opening) return answer(from, stream, number, fail(opening.error()));
    const auto incoming = std::make_shared<Incoming>(clock_);
    incoming->group = opening->group;
    incoming->message = opening->messages.at(0);
    found = incoming_.emplace(stream, incoming).first;
    scope_.spawn(take_snapshot(from, stream, incoming));
    return answer(from, stream, 0, {});
  }
  Incoming& incoming = *found->second;
  if (number == last_piece) {
    incoming.is_whole = true;
    incoming.arrived.set();
    if (incoming.result) answer(from, stream, last_piece, *incoming.result);
    return;
  }
  if (number == incoming.expected) {
    ++incoming.expected;
    incoming.pieces.emplace_back(as_text(piece));
    incoming.arrived.set();
  }
  answer(from, stream, number, {});
}

Task<> SimulatedTransport::take_snapshot(NodeId from, std::uint64_t stream,
                                         std::shared_ptr<Incoming> incoming) {
  if (!is_open_) co_return;
  incoming->result = co_await receiver_.receive_snapshot(incoming->group, incoming->message, *incoming);
  if (is_open_) answer(from, stream, last_piece, *incoming->result);
}

void SimulatedTransport::answer(NodeId to, std::uint64_t stream, std::uint32_t number,
                                const Result<>& result) {
  std::string bytes(1, static_cast<char>(Kind::answer));
  Encoder(bytes).integer(stream).integer(number).integer(std::uint8_t{!result});
  network_.send(node_, to, std::move(bytes));
}

void SimulatedTransport::take_answer(View bytes) {
  Decoder in(bytes);
  const auto found = outgoing_.find(in.integer<std::uint64_t>());
  const auto number = in.integer<std::uint32_t>();
  const bool is_refused = in.integer<std::uint8_t>() != 0;
  if (found == outgoing_.end()) return;
  Outgoing& outgoing = *found->second;
  if (outgoing.answer || (number != outgoing.awaited && !is_refused)) return;
  outgoing.answer = is_refused ? Result<>(fail(Errc::unavailable, "the receiver refused")) : Result<>();
  outgoing.changed.set();
}

Task<Result<>> SimulatedTransport::exchange(NodeId to, std::uint64_t stream, std::uint32_t number,
                                            std::string piece) {
  std::string bytes(1, static_cast<char>(Kind::piece));
  Encoder(bytes).integer(stream).integer(number).raw(as_view(piece));
  Outgoing outgoing;
  outgoing.awaited = number;
  outgoing_[stream] = &outgoing;
  for (int i = 0; i < attempts && !outgoing.answer && !scope_.stopping(); ++i) {
    network_.send(node_, to, bytes);
    co_await outgoing.changed.wait_for(clock_, answer_limit);
  }
  outgoing_.erase(stream);
  if (!outgoing.answer) co_return fail(Errc::timed_out, "no answer");
  co_return *outgoing.answer;
}

Task<Result<>> SimulatedTransport::send_snapshot(GroupId group, const Message& message,
                                                 SnapshotSource& source) {
  if (scope_.stopping()) co_return fail(Errc::unavailable, "closed");
  const NodeId to = node_of(message.to);
  const std::uint64_t stream = ++last_stream_;
  KISEKI_CO_TRY(co_await exchange(to, stream, 0, encode_messages(group, {&message, 1})));
  for (std::uint32_t number = 1;; ++number) {
    auto piece = co_await source.next();
    if (!piece) co_return fail(std::move(piece).error());
    if (!*piece) break;
    KISEKI_CO_TRY(co_await exchange(to, stream, number, std::move(**piece)));
  }
  co_return co_await exchange(to, stream, last_piece, {});
}

}  // namespace kiseki::raft
