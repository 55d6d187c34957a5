#include "shard/proposal.h"

#include <algorithm>

#include "shard/rows/row_codec.h"

namespace kiseki::shard {

using namespace detail;

namespace {

constexpr std::uint8_t format = 2;

void write(RowWriter& out, const Commit& commit) {
  out.id(commit.id);
  out.out().integer(commit.low_water);
  out.transaction(commit.transaction);
}
void write(RowWriter& out, const Prepare& prepare) {
  out.id(prepare.id);
  out.out().integer(prepare.low_water).id(prepare.age);
  out.key(prepare.primary);
  out.transaction(prepare.branch);
}
void write(RowWriter& out, const Decide& decide) {
  out.id(decide.id);
  out.out().integer(decide.low_water);
  out.key(decide.primary);
  out.out().enumerator(decide.verdict).id(decide.floor);
}
void write(RowWriter& out, const Resolve& resolve) {
  out.id(resolve.id);
  out.out().enumerator(resolve.verdict).id(resolve.stamp);
}
void write(RowWriter& out, const Fence& fence) { out.out().id(fence.session); }
void write(Encoder& out, const GoneSessions& gone) {
  out.id(gone.last).integer(static_cast<std::uint32_t>(gone.living.size()));
  for (const SessionId session : gone.living) out.id(session);
}
void write(RowWriter& out, const Forget& forget) { write(out.out(), forget.gone); }
void write(RowWriter& out, const Configure& configure) {
  out.out().id(configure.ns).integer(configure.epoch).enumerator(configure.state);
}
void write(RowWriter& out, const RaiseEpoch& raise) { out.out().id(raise.epoch); }
void write(RowWriter& out, const Split& split) { out.out().id(split.child).integer(split.first); }
void write(RowWriter& out, const Trim& trim) {
  out.out().id(trim.below).integer(static_cast<std::uint32_t>(trim.chunks.size()));
  for (const auto& chunk : trim.chunks) write(out.out(), chunk);
}

Verdict read_verdict(RowReader& in) {
  const auto value = in.in().integer<std::uint8_t>();
  if (value < 1 || value > 2) in.in().reject();
  return static_cast<Verdict>(value);
}

void read(RowReader& in, Commit& commit) {
  commit.id = in.id();
  commit.low_water = in.in().integer<std::uint64_t>();
  commit.transaction = in.transaction();
}
void read(RowReader& in, Prepare& prepare) {
  prepare.id = in.id();
  prepare.low_water = in.in().integer<std::uint64_t>();
  prepare.age = in.in().id<Stamp>();
  prepare.primary = in.key();
  prepare.branch = in.transaction();
}
void read(RowReader& in, Decide& decide) {
  decide.id = in.id();
  decide.low_water = in.in().integer<std::uint64_t>();
  decide.primary = in.key();
  decide.verdict = read_verdict(in);
  decide.floor = in.in().id<Stamp>();
}
void read(RowReader& in, Resolve& resolve) {
  resolve.id = in.id();
  resolve.verdict = read_verdict(in);
  resolve.stamp = in.in().id<Stamp>();
}
void read(RowReader& in, Fence& fence) { fence.session = in.in().id<SessionId>(); }
void read(Decoder& in, GoneSessions& gone) {
  gone.last = in.id<SessionId>();
  const auto count = in.integer<std::uint32_t>();
  if (count > GoneSessions::living_max) in.reject();
  for (std::size_t i = 0; i < count && !in.failed(); ++i) {
    const auto session = in.id<SessionId>();
    if (!gone.living.empty() && session <= gone.living.back()) in.reject();
    gone.living.push_back(session);
  }
}
void read(RowReader& in, Forget& forget) { read(in.in(), forget.gone); }
void read(RowReader& in, Configure& configure) {
  configure.ns = in.in().id<NamespaceId>();
  configure.epoch = in.in().integer<std::uint32_t>();
  const auto state = in.in().integer<std::uint8_t>();
  if (state < 1 || state > static_cast<std::uint8_t>(NamespaceState::deleted)) in.in().reject();
  configure.state = static_cast<NamespaceState>(state);
}
void read(RowReader& in, RaiseEpoch& raise) { raise.epoch = in.in().id<GcEpoch>(); }
void read(RowReader& in, Split& split) {
  split.child = in.in().id<ShardId>();
  split.first = in.in().integer<Slot>();
}
void read(RowReader& in, Trim& trim) {
  trim.below = in.in().id<GcEpoch>();
  trim.chunks.resize(in.count(Trim::chunks_max));
  for (auto& chunk : trim.chunks) chunk = read_chunk_name(in.in());
}

/// The alternative whose number on disk is one more than its place.
template <std::size_t I = 0>
void read_body(std::size_t place, RowReader& in, Proposal& proposal) {
  using Body = decltype(Proposal::body);
  if constexpr (I < std::variant_size_v<Body>) {
    if (place != I) return read_body<I + 1>(place, in, proposal);
    read(in, proposal.body.emplace<I>());
  }
}

}  // namespace

std::string Proposal::encode(Stamp as_of) const {
  RowWriter out;
  std::visit([&out](const auto& one) { write(out, one); }, body);
  std::string head;
  Encoder(head).integer(format).integer(static_cast<std::uint8_t>(body.index() + 1)).id(as_of);
  return std::move(out).finish(std::move(head));
}

Result<Proposal> Proposal::decode(View bytes) {
  auto begun = begin_value(bytes, format, "shard entry");
  if (!begun) return fail(std::move(begun).error());
  Decoder& in = *begun;
  Proposal proposal;
  const auto type = in.integer<std::uint8_t>();
  if (!in.failed() && (type == 0 || type > std::variant_size_v<decltype(proposal.body)>)) {
    return fail(Errc::wrong_format, "shard entry: of an unknown type");
  }
  proposal.stamp = in.id<Stamp>();
  RowReader rows(in);
  read_body(static_cast<std::size_t>(type) - 1, rows, proposal);
  KISEKI_TRY(in.finish("shard entry"));
  return proposal;
}

void GoneSessions::add(const GoneSessions& more) {
  std::vector<SessionId> all;
  std::ranges::set_union(living, more.living, std::back_inserter(all));
  std::erase_if(all, [&](SessionId session) { return contains(session) || more.contains(session); });
  last = std::max(last, more.last);
  living = std::move(all);
}

void GoneSessions::spare(SessionId session) {
  if (contains(session)) living.insert(std::ranges::lower_bound(living, session), session);
}

std::string GoneSessions::encode() const {
  std::string bytes;
  Encoder out(bytes);
  out.integer(format);
  write(out, *this);
  return bytes;
}

Result<GoneSessions> GoneSessions::decode(View bytes) {
  auto begun = begin_value(bytes, format, "sessions that are gone");
  if (!begun) return fail(std::move(begun).error());
  GoneSessions gone;
  read(*begun, gone);
  KISEKI_TRY(begun->finish("sessions that are gone"));
  return gone;
}

}  // namespace kiseki::shard
