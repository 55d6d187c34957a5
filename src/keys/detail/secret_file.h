#pragma once

#include <filesystem>

#include "base/buffer.h"
#include "base/result.h"
#include "base/units.h"
#include "crypto/secret.h"

namespace kiseki::keys::detail {

/// The whole of a file that nobody but its owner may use. `not_found`; `denied` when it cannot be read or its
/// mode is wider than 0600; `wrong_format` when it is not a regular file or longer than `limit`.
Result<crypto::SecretText> read_secret_file(const std::filesystem::path& path, Bytes limit);

enum class Placement : std::uint8_t {
  only_new,  ///< `exists` when the name is taken.
  replace,
};
/// Mode 0600. Durable and whole on return; on failure what stood there before still does, unless the last
/// sync of the directory failed, after which either may.
Result<> write_secret_file(const std::filesystem::path& path, View content, Placement placement);

}  // namespace kiseki::keys::detail
