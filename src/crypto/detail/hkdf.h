#pragma once

#include "base/buffer.h"

namespace kiseki::crypto::detail {

/// HKDF-SHA-256 (RFC 5869) of any length up to 255 × 32 bytes; `info` may be empty here.
void hkdf_sha256(View secret, View salt, View info, MutableView out);

}  // namespace kiseki::crypto::detail
