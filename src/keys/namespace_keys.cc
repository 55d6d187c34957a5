#include <fmt/format.h>

#include "base/assert.h"
#include "keys/keys.h"

namespace kiseki::keys {

NamespaceKeys::NamespaceKeys(NamespaceId ns, crypto::Key256 chunk_id, crypto::Key256 handle,
                             std::map<KeyEpoch, Epoch> epochs)
    : ns_(ns), chunk_id_(std::move(chunk_id)), handle_(std::move(handle)), epochs_(std::move(epochs)) {
  KISEKI_ASSERT(!epochs_.empty());
}

Result<const NamespaceKeys::Epoch*> NamespaceKeys::epoch(KeyEpoch epoch) const {
  const auto found = epochs_.find(epoch);
  if (found != epochs_.end()) return &found->second;
  return fail(Errc::key_unavailable,
              fmt::format("namespace {} has no key of epoch {} here", ns_.value(), epoch.value()));
}

}  // namespace kiseki::keys
