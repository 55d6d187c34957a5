#pragma once

#include "fs/objects.h"
#include "fs/tree/tree.h"

namespace kiseki::fs::detail {

/// `Objects::list`: walks the directories depth first from the first key that can be shown. What it reads
/// does not depend on what lies before or beyond the page.
Task<Result<ListReply>> list_objects(Tree& tree, NamespaceId ns, ListRequest request);

}  // namespace kiseki::fs::detail
