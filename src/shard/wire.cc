#include "shard/wire.h"

#include <algorithm>

#include "shard/rows/row_codec.h"

namespace kiseki::shard {

using detail::RowReader;
using detail::RowWriter;

namespace {

constexpr std::uint8_t format = 2;
constexpr std::size_t words_max = 1024, many = 1U << 20;
enum class Outcomes : std::uint8_t { reply = 0, error = 1 };

// Every type is written and read by a pair of functions; those of lists and options come first.

template <class T>
void write(RowWriter& out, const std::vector<T>& all);
template <class T>
void read(RowReader& in, std::vector<T>& all);

void write(RowWriter& out, std::uint32_t value) { out.out().integer(value); }
void read(RowReader& in, std::uint32_t& value) { value = in.in().integer<std::uint32_t>(); }

void write(RowWriter& out, bool value) { out.out().integer(static_cast<std::uint8_t>(value)); }
bool read_flag(RowReader& in) {
  const auto value = in.in().integer<std::uint8_t>();
  if (value > 1) in.in().reject();
  return value == 1;
}
void read(RowReader& in, bool& value) { value = read_flag(in); }

template <class Tag, class Rep>
void write(RowWriter& out, Id<Tag, Rep> id) {
  out.out().id(id);
}
template <class Tag, class Rep>
void read(RowReader& in, Id<Tag, Rep>& id) {
  id = in.in().id<Id<Tag, Rep>>();
}

template <class E>
void read_enumerator(RowReader& in, E& value, E first, E last) {
  const auto number = in.in().integer<std::uint8_t>();
  if (number < static_cast<std::uint8_t>(first) || number > static_cast<std::uint8_t>(last)) in.in().reject();
  value = static_cast<E>(number);
}

void write(RowWriter& out, Duration limit) {
  const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
  out.out().integer(static_cast<std::uint32_t>(std::clamp<std::int64_t>(whole, 0, 0xffff'ffff)));
}
void read(RowReader& in, Duration& limit) {
  limit = std::chrono::milliseconds(in.in().integer<std::uint32_t>());
}

void write(RowWriter& out, const ChunkId& chunk) { out.out().raw(chunk); }
void read(RowReader& in, ChunkId& chunk) {
  if (const View bytes = in.in().raw(chunk.size()); bytes.size() == chunk.size()) {
    std::ranges::copy(bytes, chunk.begin());
  }
}

void write(RowWriter& out, const ChunkName& chunk) {
  write(out, chunk.id);
  out.out().id(chunk.ns).id(chunk.pool);
}
void read(RowReader& in, ChunkName& chunk) {
  read(in, chunk.id);
  chunk.ns = in.in().id<NamespaceId>();
  chunk.pool = in.in().id<PoolId>();
}

void write(RowWriter& out, const LeafAddress& leaf) {
  out.out().id(leaf.ns).id(leaf.container).id(leaf.leaf);
}
void read(RowReader& in, LeafAddress& leaf) {
  leaf.ns = in.in().id<NamespaceId>();
  leaf.container = in.in().id<InodeId>();
  leaf.leaf = in.in().id<LeafId>();
  if (leaf.ns.value() >= namespace_end) in.in().reject();
}

void write(RowWriter& out, SlotRange range) { out.out().integer(range.first).integer(range.last); }
void read(RowReader& in, SlotRange& range) {
  range.first = in.in().integer<Slot>();
  range.last = in.in().integer<Slot>();
}

void write(RowWriter& out, const Key& key) { out.key(key); }
void read(RowReader& in, Key& key) { key = in.key(); }
void write(RowWriter& out, const Holder& holder) { out.holder(holder); }
void read(RowReader& in, Holder& holder) { holder = in.holder(); }
void write(RowWriter& out, TransactionId id) { out.id(id); }
void read(RowReader& in, TransactionId& id) { id = in.id(); }
void write(RowWriter& out, const std::vector<NamespaceEpoch>& all) { out.namespaces(all); }
void read(RowReader& in, std::vector<NamespaceEpoch>& all) { all = in.namespaces(); }

/// Types that have an encoding of their own.
template <class T>
  requires requires(const T& one) {
    { one.encode() } -> std::same_as<std::string>;
    { T::decode(View{}) } -> std::same_as<Result<T>>;
  } && (!std::same_as<T, Key>)
void write(RowWriter& out, const T& one) {
  out.out().sized(as_view(one.encode()));
}
template <class T>
  requires requires(const T& one) {
    { one.encode() } -> std::same_as<std::string>;
    { T::decode(View{}) } -> std::same_as<Result<T>>;
  } && (!std::same_as<T, Key>)
void read(RowReader& in, T& one) {
  auto decoded = T::decode(in.in().sized());
  if (decoded) {
    one = std::move(*decoded);
  } else {
    in.in().reject();
  }
}

template <class T>
void write(RowWriter& out, const std::optional<T>& one) {
  write(out, one.has_value());
  if (one) write(out, *one);
}
template <class T>
void read(RowReader& in, std::optional<T>& one) {
  if (read_flag(in)) read(in, one.emplace());
}

void write(RowWriter& out, const Row& row) {
  write(out, row.key);
  write(out, row.record);
}
void read(RowReader& in, Row& row) {
  read(in, row.key);
  read(in, row.record);
}

void write(RowWriter& out, const Get& get) {
  write(out, get.key);
  write(out, get.with_body);
}
void read(RowReader& in, Get& get) {
  read(in, get.key);
  read(in, get.with_body);
}

void write(RowWriter& out, const Scan& scan) {
  write(out, scan.leaf);
  out.out().enumerator(scan.kind).enumerator(scan.direction).integer(scan.rows_max).sized(as_view(scan.from));
}
void read(RowReader& in, Scan& scan) {
  read(in, scan.leaf);
  const auto kind = in.in().integer<std::uint8_t>();
  if (!is_known(kind)) in.in().reject();
  scan.kind = static_cast<Kind>(kind);
  read_enumerator(in, scan.direction, Scan::Direction::forward, Scan::Direction::floor);
  scan.rows_max = in.in().integer<std::uint32_t>();
  const View from = in.in().sized();
  if (from.size() > item_max + sizeof(std::uint64_t)) in.in().reject();
  scan.from = as_text(from);
}

void write(RowWriter& out, const ReadReply::Got& got) {
  write(out, got.record);
  write(out, got.body);
}
void read(RowReader& in, ReadReply::Got& got) {
  read(in, got.record);
  read(in, got.body);
}

void write(RowWriter& out, const ReadReply::Scanned& scanned) {
  write(out, scanned.rows);
  write(out, scanned.more);
}
void read(RowReader& in, ReadReply::Scanned& scanned) {
  read(in, scanned.rows);
  read(in, scanned.more);
}

void write(RowWriter& out, const PreparedTransaction& one) {
  write(out, one.holder);
  write(out, one.namespaces);
}
void read(RowReader& in, PreparedTransaction& one) {
  read(in, one.holder);
  read(in, one.namespaces);
}

void write(RowWriter& out, const DeadRow& row) {
  write(out, row.chunk);
  out.out().integer(row.slot).id(row.epoch);
}
void read(RowReader& in, DeadRow& row) {
  read(in, row.chunk);
  row.slot = in.in().integer<Slot>();
  row.epoch = in.in().id<GcEpoch>();
}

template <class T>
void write(RowWriter& out, const std::vector<T>& all) {
  out.out().integer(static_cast<std::uint32_t>(all.size()));
  for (const auto& one : all) write(out, static_cast<const T&>(one));
}
template <class T>
void read(RowReader& in, std::vector<T>& all) {
  const std::size_t count = in.count(many);
  for (std::size_t i = 0; i < count && !in.in().failed(); ++i) {
    T one{};
    read(in, one);
    all.push_back(std::move(one));
  }
}

// Requests, by the order of their variant.

void write(RowWriter& out, const RowsRequest& request) {
  write(out, request.gets);
  write(out, request.scans);
  write(out, request.counters);
}
void read(RowReader& in, RowsRequest& request) {
  read(in, request.gets);
  read(in, request.scans);
  read(in, request.counters);
}

void write(RowWriter& out, const ProposeRequest& request) {
  out.out().enumerator(request.attempt).sized(as_view(request.proposal->encode()));
}
void read(RowReader& in, ProposeRequest& request) {
  read_enumerator(in, request.attempt, Attempt::first, Attempt::again);
  Proposal proposal;
  read(in, proposal);
  request.proposal = std::make_shared<const Proposal>(std::move(proposal));
}

void write(RowWriter& out, const StatusRequest& request) { write(out, request.holder); }
void read(RowReader& in, StatusRequest& request) { read(in, request.holder); }

void write(RowWriter& out, const ReleasedRequest& request) {
  write(out, request.id);
  write(out, request.limit);
}
void read(RowReader& in, ReleasedRequest& request) {
  read(in, request.id);
  read(in, request.limit);
}

void write(RowWriter&, const SweepRequest&) {}
void read(RowReader&, SweepRequest&) {}

void write(RowWriter& out, const ScanRequest& request) {
  out.out().enumerator(request.kind).id(request.after).integer(request.rows_max);
}
void read(RowReader& in, ScanRequest& request) {
  const auto kind = in.in().integer<std::uint8_t>();
  if (!is_known(kind)) in.in().reject();
  request.kind = static_cast<Kind>(kind);
  request.after = in.in().id<Stamp>();
  request.rows_max = in.in().integer<std::uint32_t>();
}

void write(RowWriter& out, const PendingRequest& request) {
  write(out, request.gone);
  write(out, request.rows_max);
}
void read(RowReader& in, PendingRequest& request) {
  read(in, request.gone);
  read(in, request.rows_max);
}

void write(RowWriter& out, const BeatRequest& request) { write(out, request.living); }
void read(RowReader& in, BeatRequest& request) { read(in, request.living); }
void write(RowWriter& out, const SilentRequest& request) { write(out, request.open); }
void read(RowReader& in, SilentRequest& request) { read(in, request.open); }
void write(RowWriter& out, const JudgeRequest& request) { write(out, request.chunks); }
void read(RowReader& in, JudgeRequest& request) { read(in, request.chunks); }

void write(RowWriter& out, const DeadRequest& request) {
  write(out, request.from);
  write(out, request.below);
  write(out, request.rows_max);
}
void read(RowReader& in, DeadRequest& request) {
  read(in, request.from);
  read(in, request.below);
  read(in, request.rows_max);
}

void write(RowWriter&, const LeaderRequest&) {}
void read(RowReader&, LeaderRequest&) {}

// Replies, by the order of theirs.

void write(RowWriter& out, const Answer& answer) {
  out.out().enumerator(answer.type).enumerator(answer.outcome.refusal);
  out.out().integer(answer.outcome.assertion).id(answer.outcome.stamp);
  write(out, answer.holder);
  write(out, answer.moved);
  write(out, answer.range);
}
void read(RowReader& in, Answer& answer) {
  read_enumerator(in, answer.type, Answer::Type::decided, Answer::Type::invalid);
  read_enumerator(in, answer.outcome.refusal, Refusal::none, Refusal::aborted);
  answer.outcome.assertion = in.in().integer<std::uint32_t>();
  answer.outcome.stamp = in.in().id<Stamp>();
  read(in, answer.holder);
  read(in, answer.moved);
  read(in, answer.range);
}

void write(RowWriter& out, const RowsReply& reply) {
  write(out, reply.gets);
  write(out, reply.scans);
  write(out, reply.counters);
  write(out, reply.undecided);
  out.out().integer(reply.configuration);
}
void read(RowReader& in, RowsReply& reply) {
  read(in, reply.gets);
  read(in, reply.scans);
  read(in, reply.counters);
  read(in, reply.undecided);
  reply.configuration = in.in().integer<std::uint32_t>();
}

void write(RowWriter& out, const TransactionStatus& status) {
  out.out().enumerator(status.type).id(status.stamp);
}
void read(RowReader& in, TransactionStatus& status) {
  read_enumerator(in, status.type, TransactionStatus::Type::pending, TransactionStatus::Type::unknown);
  status.stamp = in.in().id<Stamp>();
}

void write(RowWriter& out, const SweepReply& reply) {
  write(out, reply.prepared);
  write(out, reply.fenced);
  out.out().id(reply.deleted.ns.ns).integer(reply.deleted.ns.epoch);
  write(out, reply.deleted.rows);
  write(out, reply.locks);
  write(out, reply.range);
}
void read(RowReader& in, SweepReply& reply) {
  read(in, reply.prepared);
  read(in, reply.fenced);
  reply.deleted.ns.ns = in.in().id<NamespaceId>();
  reply.deleted.ns.epoch = in.in().integer<std::uint32_t>();
  read(in, reply.deleted.rows);
  read(in, reply.locks);
  read(in, reply.range);
}

void write(RowWriter& out, const Scanned& scanned) {
  write(out, scanned.rows);
  write(out, scanned.range);
}
void read(RowReader& in, Scanned& scanned) {
  read(in, scanned.rows);
  read(in, scanned.range);
}

void write(RowWriter& out, const Judgement& judgement) {
  write(out, judgement.range);
  write(out, judgement.epoch);
  write(out, judgement.is_known);
  out.out().integer(static_cast<std::uint32_t>(judgement.counted.size()));
  for (const bool counts : judgement.counted) write(out, counts);
}
void read(RowReader& in, Judgement& judgement) {
  read(in, judgement.range);
  read(in, judgement.epoch);
  read(in, judgement.is_known);
  const std::size_t count = in.count(many);
  for (std::size_t i = 0; i < count && !in.in().failed(); ++i) judgement.counted.push_back(read_flag(in));
}

void write(RowWriter& out, const DeadRows& dead) {
  write(out, dead.rows);
  write(out, dead.next);
}
void read(RowReader& in, DeadRows& dead) {
  read(in, dead.rows);
  read(in, dead.next);
}

void write(RowWriter& out, const Leadership& leadership) {
  write(out, leadership.leads);
  out.out().integer(leadership.term);
}
void read(RowReader& in, Leadership& leadership) {
  read(in, leadership.leads);
  leadership.term = in.in().integer<std::uint64_t>();
}

/// A value to read into.
template <class T>
T blank() {
  return T{};
}
template <>
ProposeRequest blank<ProposeRequest>() {
  return ProposeRequest(nullptr, Attempt::first);
}

/// The alternative whose number is one more than its place.
template <class Variant, std::size_t I = 0>
void read_one_of(std::size_t number, RowReader& in, Variant& into) {
  if constexpr (I < std::variant_size_v<Variant>) {
    if (number != I + 1) return read_one_of<Variant, I + 1>(number, in, into);
    auto value = blank<std::variant_alternative_t<I, Variant>>();
    read(in, value);
    into.template emplace<I>(std::move(value));
  } else {
    in.in().reject();
  }
}

template <class Variant>
void write_one_of(RowWriter& out, const Variant& value) {
  std::visit([&out](const auto& one) { write(out, one); }, value);
}

}  // namespace

std::string encode(const Call& call) {
  RowWriter out;
  write(out, call.limit);
  write_one_of(out, call.request);
  std::string head;
  Encoder(head).integer(format).integer(call.caller).id(call.shard);
  Encoder(head).integer(static_cast<std::uint8_t>(call.request.index() + 1));
  return std::move(out).finish(std::move(head));
}

Result<Call> decode_call(View bytes) {
  auto begun = detail::begin_value(bytes, format, "shard call");
  if (!begun) return fail(std::move(begun).error());
  Decoder& in = *begun;
  Call call;
  call.caller = in.integer<std::uint64_t>();
  call.shard = in.id<ShardId>();
  const auto type = in.integer<std::uint8_t>();
  RowReader rows(in);
  read(rows, call.limit);
  read_one_of(type, rows, call.request);
  KISEKI_TRY(in.finish("shard call"));
  return call;
}

std::string encode(const Result<Reply>& reply) {
  std::string head;
  Encoder out(head);
  out.integer(format).enumerator(reply ? Outcomes::reply : Outcomes::error);
  if (!reply) {
    const std::string words = reply.error().words().substr(0, words_max);
    out.enumerator(reply.error().code()).sized(as_view(words));
    return head;
  }
  out.integer(static_cast<std::uint8_t>(reply->index() + 1));
  RowWriter rows;
  write_one_of(rows, *reply);
  return std::move(rows).finish(std::move(head));
}

Result<Reply> decode_reply(View bytes) {
  auto begun = detail::begin_value(bytes, format, "shard reply");
  if (!begun) return fail(std::move(begun).error());
  Decoder& in = *begun;
  const auto outcome = in.integer<std::uint8_t>();
  if (outcome > static_cast<std::uint8_t>(Outcomes::error)) in.reject();
  if (outcome == static_cast<std::uint8_t>(Outcomes::error)) {
    const auto code = static_cast<Errc>(in.integer<std::uint8_t>());
    const View words = in.sized();
    if (words.size() > words_max || name_of(code) == "unknown") in.reject();
    KISEKI_TRY(in.finish("shard reply"));
    return fail(code, std::string(as_text(words)));
  }
  const auto type = in.integer<std::uint8_t>();
  Reply reply;
  RowReader rows(in);
  read_one_of(type, rows, reply);
  KISEKI_TRY(in.finish("shard reply"));
  return reply;
}

bool answers(const Reply& reply, const Request& request) {
  return std::visit(
      [&reply]<class Asked>(const Asked&) { return std::holds_alternative<typename Asked::Reply>(reply); },
      request);
}

}  // namespace kiseki::shard
