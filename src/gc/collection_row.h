#pragma once

#include "shard/key.h"
#include "shard/record.h"

namespace kiseki::gc::detail {

/// Where collection has got: a row of the system shard (docs/formats/system-rows.md), not sealed.
struct CollectionRow {
  GcEpoch epoch{1};  ///< What devices stamp.
  GcEpoch asked;     ///< The shards were asked about every chunk whose last put is older.
  Stamp version;     ///< Zero: there is no row yet.

  shard::Record record() const;
  static Result<CollectionRow> decode(const shard::Record& record);
};

shard::Key collection_key();

}  // namespace kiseki::gc::detail
