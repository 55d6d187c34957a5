#pragma once

#include "apps/config.h"
#include "apps/data_directory.h"
#include "base/rng.h"
#include "keys/keys.h"

namespace kiseki::apps {

/// Where the keys of this node are.
std::filesystem::path key_file_of(const Config& config, const DataDirectory& directory);

/// The key file, made at a first start. Over existing data it must be there, whole, and the one the data was
/// sealed with: otherwise the error says which of these it is, and nothing is written.
Result<keys::KeyFile> open_keys(const Config& config, const DataDirectory& directory, Rng& rng);

}  // namespace kiseki::apps
