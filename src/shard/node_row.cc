#include "shard/detail/node_row.h"

#include "base/codec.h"
#include "shard/detail/row_codec.h"

namespace kiseki::shard::detail {

namespace {
constexpr std::uint8_t format = 1;
constexpr std::uint8_t map_format = 2;
constexpr std::uint32_t data_shards_max = 4096;
constexpr std::uint32_t data_slots = 65535;
}  // namespace

std::string NodeRow::key() {
  std::string key;
  Encoder(key).integer(~std::uint32_t{0}).integer(std::uint8_t{0});
  return key;
}

std::string NodeRow::encode() const {
  std::string bytes;
  Encoder(bytes).integer(format).raw(cluster).integer(data_shards);
  return bytes;
}

Result<NodeRow> NodeRow::decode(View bytes) {
  auto in = begin_value(bytes, format, "node row");
  if (!in) return fail(std::move(in).error());
  NodeRow row;
  const View cluster = in->raw(row.cluster.size());
  std::ranges::copy(cluster, row.cluster.begin());
  row.data_shards = in->integer<std::uint32_t>();
  if (row.data_shards == 0 || row.data_shards > data_shards_max) in->reject();
  KISEKI_TRY(in->finish("node row"));
  return row;
}

std::vector<SlotRange> ranges_of(std::uint32_t data_shards) {
  std::vector<SlotRange> ranges{{.first = 0, .last = 0}};
  for (std::uint64_t i = 0; i < data_shards; ++i) {
    ranges.push_back({.first = static_cast<Slot>(1 + data_slots * i / data_shards),
                      .last = static_cast<Slot>(data_slots * (i + 1) / data_shards)});
  }
  return ranges;
}

Record ShardMap::record() const {
  std::string value;
  Encoder out(value);
  out.integer(map_format).id(next).integer(static_cast<std::uint32_t>(shards.size()));
  for (const auto& one : shards) out.id(one.id).integer(one.range.first).integer(one.range.last);
  Record record;
  record.value = crypto::Sealed::from_store(std::move(value));
  return record;
}

Result<ShardMap> ShardMap::decode(const Record& record) {
  auto in = begin_value(record.value.view(), map_format, "shard map");
  if (!in) return fail(std::move(in).error());
  ShardMap map;
  map.next = in->id<ShardId>();
  const auto count = in->integer<std::uint32_t>();
  std::uint32_t next_slot = 0;
  for (std::uint32_t i = 0; i < count && !in->failed(); ++i) {
    const auto id = in->id<ShardId>();
    const auto first = in->integer<Slot>();
    const auto last = in->integer<Slot>();
    if (first != next_slot || last < first || id >= map.next) in->reject();
    next_slot = last + 1U;
    map.shards.push_back({.id = id, .range = {.first = first, .last = last}});
  }
  if (next_slot != data_slots + 1) in->reject();
  KISEKI_TRY(in->finish("shard map"));
  return map;
}

}  // namespace kiseki::shard::detail
