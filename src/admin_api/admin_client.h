#pragma once

#include <filesystem>
#include <string>

#include "admin_api/request.h"
#include "base/result.h"

namespace kiseki::admin_api {

/// Asks the node whose data directory this is, and blocks until it answers. The result as indented JSON, or
/// the error the node answered with; `unavailable` when no node listens there.
Result<std::string> ask(const std::filesystem::path& directory, const Request& request);

}  // namespace kiseki::admin_api
