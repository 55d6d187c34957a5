#include "base/chunk_reference.h"

#include <algorithm>

namespace kiseki {

ChunkFormat read_chunk_format(Decoder& in) {
  ChunkFormat format;
  format.codec = in.integer<std::uint8_t>();
  format.data = in.integer<std::uint8_t>();
  format.parity = in.integer<std::uint8_t>();
  format.block_units = in.integer<std::uint8_t>();
  if (!format.is_known()) in.reject();
  return format;
}

ChunkName read_chunk_name(Decoder& in) {
  ChunkName name;
  std::ranges::copy(in.raw(name.id.size()), name.id.begin());
  name.ns = in.id<NamespaceId>();
  name.pool = in.id<PoolId>();
  return name;
}

}  // namespace kiseki
