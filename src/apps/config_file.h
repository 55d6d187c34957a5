#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace kiseki::apps {

/// The values of a TOML file, tables joined by dots: {"s3.listen", "127.0.0.1:9000"}. `not_found`,
/// `io_error`; `invalid_argument` with line and column for what is not TOML, or holds anything but strings
/// and integers.
Result<std::vector<std::pair<std::string, std::string>>> read_config_file(const std::filesystem::path& file);

}  // namespace kiseki::apps
