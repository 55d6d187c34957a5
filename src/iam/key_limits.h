#pragma once

#include <span>
#include <string>

#include "base/result.h"

namespace kiseki::iam {

/// The session policy of an access key that may only use what is listed: each "bucket", "bucket/prefix" or,
/// to read alone, "ro:bucket/prefix". Buckets themselves are never changed by such a key. `invalid_argument`:
/// no name of a bucket; a prefix with a wildcard, a variable or a sign that JSON escapes.
Result<std::string> key_limits(std::span<const std::string> limits);

}  // namespace kiseki::iam
