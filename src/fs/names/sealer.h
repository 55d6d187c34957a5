#pragma once

#include <string>

#include "base/rng.h"
#include "keys/keys.h"
#include "shard/record.h"

// How every record of a namespace is sealed and opened: XAES-256-GCM under the metadata key of an epoch,
// authenticated with what the record is and where it belongs (PROTOCOLS 1.4).

namespace kiseki::fs::detail {

/// Seals `plaintext` into `record.value` under the current epoch with a fresh nonce. Whatever else the writer
/// chooses of the record is set before: it is authenticated.
void seal(Rng& rng, const keys::NamespaceKeys& keys, const shard::Key& key, shard::Record& record,
          View plaintext);

/// `corrupted` when the record was made for another key or changed since; `key_unavailable`.
Result<std::string> unseal(const keys::NamespaceKeys& keys, const shard::Key& key,
                           const shard::Record& record);

}  // namespace kiseki::fs::detail
