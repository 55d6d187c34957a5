#pragma once

#include "fs/names/system_rows.h"
#include "fs/tree/tree.h"

// What a new namespace consists of.

namespace kiseki::fs::detail {

/// Its rows in the system shard, an id lease, and its two empty trees.
void add_namespace(Services& services, shard::Transaction& transaction, const NamespaceContext& ns,
                   std::string descriptor);

/// Keys of a namespace that is not there yet.
struct NewNamespace {
  NamespacePtr ns;
  std::string descriptor;
};
Task<Result<NewNamespace>> prepare_namespace(Services services, TenantId tenant, NamespaceId id,
                                             Configuration configuration = {});

}  // namespace kiseki::fs::detail
