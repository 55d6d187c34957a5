#pragma once

#include <string>

#include "base/ids.h"
#include "base/task.h"

namespace kiseki::fs::detail {

class Tree;

/// `Directories::rename`: one transaction, over several shards where the two names lie so. An object's entry
/// is sealed again under its new name; its body stays where it is (PROTOCOLS 3.1). Of a directory the header
/// is written anew, and nothing below it.
Task<Result<>> rename(Tree& tree, NamespaceId ns, std::string from, std::string to);

}  // namespace kiseki::fs::detail
