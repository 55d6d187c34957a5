#include "shard/rows/node_row.h"

#include "base/codec.h"
#include "shard/rows/row_codec.h"

namespace kiseki::shard::detail {

namespace {
constexpr std::uint8_t format = 2;
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
  Encoder(bytes).integer(format).raw(cluster).integer(node).integer(data_shards);
  return bytes;
}

Result<NodeRow> NodeRow::decode(View bytes) {
  auto in = begin_value(bytes, format, "node row");
  if (!in) return fail(std::move(in).error());
  NodeRow row;
  const View cluster = in->raw(row.cluster.size());
  std::ranges::copy(cluster, row.cluster.begin());
  row.node = in->integer<raft::NodeId>();
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

}  // namespace kiseki::shard::detail
