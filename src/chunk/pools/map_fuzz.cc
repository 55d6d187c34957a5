// Rows of the map, from bytes an adversary wrote: what decodes has one encoding, the bytes it came from.

#include "base/assert.h"
#include "chunk/pools/map_snapshot.h"

namespace {

template <class Record>
void check(const kiseki::chunk::MapRow& row, const kiseki::Result<Record>& record) {
  if (!record) return;
  const auto again = kiseki::chunk::detail::row_of(*record);
  KISEKI_ASSERT(again.item == row.item && again.value == row.value);
}

}  // namespace

/// The first byte is the kind, the second the length of the item.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kiseki::chunk;
  if (size < 2) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t item = std::min<std::size_t>(data[1], bytes.size());
  MapRow row{
      .kind = MapKind::node, .item = bytes.substr(0, item), .value = bytes.substr(item), .version = {}};
  check(row, detail::decode_node(row));
  check(row, detail::decode_device(row));
  check(row, detail::decode_pool(row));
  check(row, detail::decode_group(row));
  row.kind = static_cast<MapKind>(data[0]);
  static_cast<void>(detail::MapSnapshot::parse(std::vector{row}));
  return 0;
}
