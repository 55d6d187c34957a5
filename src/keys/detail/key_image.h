#pragma once

#include <array>
#include <map>

#include "base/buffer.h"
#include "base/ids.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace kiseki::keys::detail {

/// The content of a key file (docs/formats/key-file.md).
struct KeyImage {
  static constexpr std::size_t tenants_max = 65'536;
  static constexpr std::size_t size_max = 96 + 40 * tenants_max;

  crypto::Key256 system_key;
  std::map<TenantId, crypto::Key256> tenants;

  crypto::SecretText encode() const;
  /// `wrong_format`; `corrupted`.
  static Result<KeyImage> parse(View bytes);
};

std::array<std::byte, 16> fingerprint_of(const crypto::Key256& system_key);

}  // namespace kiseki::keys::detail
