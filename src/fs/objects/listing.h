#pragma once

#include "fs/file_system.h"
#include "fs/tree/tree.h"

namespace kiseki::fs::detail {

/// `FileSystem::list`: walks the directories depth first from the first key that can be shown. What it reads
/// does not depend on what lies before or beyond the page.
Task<Result<ListReply>> list_objects(Tree& tree, NamespaceId ns, ListRequest request);

}  // namespace kiseki::fs::detail
