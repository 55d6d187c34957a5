#pragma once

#include <string>

#include "base/buffer.h"
#include "base/result.h"
#include "base/rng.h"
#include "crypto/secret.h"

namespace kiseki::keys::detail {

/// Format 1 (1 byte) ‖ random nonce (24) ‖ XAES-256-GCM of `plaintext` (docs/formats/key-descriptor.md).
std::string wrap(const crypto::Key256& key, Rng& rng, View associated, View plaintext);

/// `wrong_format`; `corrupted` when it is too short or does not open.
Result<std::string> unwrap(const crypto::Key256& key, View associated, View wrapped);

/// A key that came out of `unwrap`; the text is wiped.
Result<crypto::Key256> take_key(std::string text);

}  // namespace kiseki::keys::detail
