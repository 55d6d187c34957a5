#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/task.h"

namespace kiseki::chunk {

/// Rows of the system shard that make up the map of devices and pools (docs/formats/pool-map.md).
enum class MapKind : std::uint8_t { node = 0x39, device = 0x3a, pool = 0x3b, group = 0x3c };

struct MapRow {
  MapKind kind = MapKind::node;
  std::string item, value;
  Stamp version;  ///< As read; zero: a row that is not there yet.
};

/// Where these rows are kept; plugged in by `apps`. Calls may be made on any core and come back there.
class MapStore {
 public:
  virtual ~MapStore() = default;
  /// All of them, of one moment, by kind and item. `unavailable`.
  virtual Task<Result<std::vector<MapRow>>> read() = 0;
  /// One transaction, which writes nothing unless every row still has its version: `conflict`.
  virtual Task<Result<>> commit(std::vector<MapRow> rows) = 0;
};

}  // namespace kiseki::chunk
