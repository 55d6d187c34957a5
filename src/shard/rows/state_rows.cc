#include "shard/rows/state_rows.h"

#include "base/codec.h"
#include "raft/conf_codec.h"
#include "shard/rows/families.h"
#include "shard/rows/row_codec.h"

namespace kiseki::shard::detail {

namespace {

constexpr std::uint8_t format = 1;
constexpr std::uint8_t progress_format = 2;
constexpr std::uint8_t configuration_format = 3;
/// The node's own rows stand under it (node_row.h).
constexpr ShardId no_shard{~std::uint32_t{0}};

}  // namespace

std::string Progress::encode() const {
  std::string bytes;
  Encoder(bytes).integer(progress_format).integer(applied).integer(term).id(last).id(epoch);
  return bytes;
}

Result<Progress> Progress::decode(View bytes) {
  auto in = begin_value(bytes, progress_format, "shard progress");
  if (!in) return fail(std::move(in).error());
  Progress progress;
  progress.applied = in->integer<raft::Index>();
  progress.term = in->integer<raft::Term>();
  progress.last = in->id<Stamp>();
  progress.epoch = in->id<GcEpoch>();
  KISEKI_TRY(in->finish("shard progress"));
  return progress;
}

std::string NamespaceConfiguration::encode() const {
  std::string bytes;
  Encoder(bytes).integer(format).integer(epoch).enumerator(state);
  return bytes;
}

Result<NamespaceConfiguration> NamespaceConfiguration::decode(View bytes) {
  auto in = begin_value(bytes, format, "namespace configuration");
  if (!in) return fail(std::move(in).error());
  NamespaceConfiguration configuration;
  configuration.epoch = in->integer<std::uint32_t>();
  const auto state = in->integer<std::uint8_t>();
  if (state < 1 || state > static_cast<std::uint8_t>(NamespaceState::deleted)) in->reject();
  configuration.state = static_cast<NamespaceState>(state);
  KISEKI_TRY(in->finish("namespace configuration"));
  return configuration;
}

std::string encode(SlotRange range) {
  std::string bytes;
  Encoder(bytes).integer(format).integer(range.first).integer(range.last);
  return bytes;
}

Result<SlotRange> decode_range(View bytes) {
  auto in = begin_value(bytes, format, "slot range");
  if (!in) return fail(std::move(in).error());
  SlotRange range;
  range.first = in->integer<Slot>();
  range.last = in->integer<Slot>();
  if (range.first > range.last) in->reject();
  KISEKI_TRY(in->finish("slot range"));
  return range;
}

std::string encode(const raft::ConfState& configuration) {
  std::string bytes;
  Encoder out(bytes);
  out.integer(configuration_format);
  raft::encode_conf(out, configuration);
  return bytes;
}

Result<raft::ConfState> decode_configuration(View bytes) {
  auto in = begin_value(bytes, configuration_format, "shard configuration");
  if (!in) return fail(std::move(in).error());
  auto configuration = raft::decode_conf(*in);
  KISEKI_TRY(in->finish("shard configuration"));
  return configuration;
}

bool is_replicas_own(StateType type) noexcept {
  return type == StateType::staged || type == StateType::install || type == StateType::rebuilt ||
         type == StateType::replica;
}

std::string state_prefix(ShardId shard) {
  std::string prefix;
  Encoder(prefix).id(shard);
  return prefix;
}

std::string state_key(ShardId shard, StateType type) {
  std::string key = state_prefix(shard);
  Encoder(key).enumerator(type);
  return key;
}

std::string state_key(ShardId shard, StateType type, std::uint64_t number) {
  std::string key = state_key(shard, type);
  Encoder(key).integer(number);
  return key;
}

std::string state_key(ShardId shard, StateType type, TransactionId id) {
  std::string key = state_key(shard, type, id.session.value());
  Encoder(key).integer(id.sequence);
  return key;
}

Result<std::vector<ShardId>> shards_with(kv::KvStore& store, StateType type) {
  std::vector<ShardId> shards;
  const auto rows = store.iterate(family_state, {});
  ShardId next{0};
  while (next != no_shard) {
    rows->seek(as_view(state_key(next, type)));
    if (!rows->valid()) break;
    Decoder in(rows->key());
    const auto shard = in.id<ShardId>();
    const auto found = static_cast<StateType>(in.integer<std::uint8_t>());
    if (shard == next && found == type) shards.push_back(shard);
    // Of a later shard the type looked for may still come.
    next = shard == next ? ShardId(shard.value() + 1) : shard;
  }
  KISEKI_TRY(rows->status());
  return shards;
}

bool is_of_a_session(Kind kind) noexcept { return kind == Kind::pending || kind == Kind::lock; }

std::string session_index_key(ShardId shard, const Key& row) {
  constexpr std::size_t size = sizeof(std::uint64_t);
  const std::size_t place = row.kind == Kind::lock ? size : 0;
  std::string session = row.item.size() > place ? row.item.substr(place, size) : std::string();
  session.resize(size);
  return state_key(shard, StateType::pending) + session + row.encode();
}

kv::Range rows_of(const LeafAddress& leaf, Kind kind) {
  constexpr std::size_t prefix = sizeof(Slot) + 8 + 8 + 4 + 1;
  return range_of(key(leaf, kind).encode().substr(0, prefix));
}

kv::Range range_of(std::string prefix) {
  std::string end = prefix;
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return {.from = std::move(prefix), .to = std::move(end)};
}

}  // namespace kiseki::shard::detail
