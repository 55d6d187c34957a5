#pragma once

#include "fs/detail/system_rows.h"
#include "fs/detail/tree.h"

// What a new namespace consists of.

namespace kiseki::fs::detail {

/// Its rows in the system shard, an id lease, and its two empty trees.
void add_space(Services& services, shard::Transaction& transaction, const SpaceContext& space,
               std::string descriptor);

/// Keys of a namespace that is not there yet.
struct NewSpace {
  SpacePtr space;
  std::string descriptor;
};
Task<Result<NewSpace>> prepare_space(Services services, TenantId tenant, NamespaceId id);

}  // namespace kiseki::fs::detail
