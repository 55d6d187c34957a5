#include <utility>

#include "crypto/aead.h"
#include "crypto/detail/gcm.h"

namespace kiseki::crypto {

BlockCipher::BlockCipher(const Key256& key) : gcm_(detail::fastest_gcm()) { gcm_->set_key(key.view()); }

BlockCipher::BlockCipher(BlockCipher&&) noexcept = default;
BlockCipher& BlockCipher::operator=(BlockCipher&&) noexcept = default;
BlockCipher::~BlockCipher() = default;

Tag BlockCipher::seal(const Nonce96& nonce, View associated, View plaintext, MutableView out) {
  Tag tag;
  gcm_->seal(nonce, associated, plaintext, out, tag);
  return tag;
}

Result<> BlockCipher::open(const Nonce96& nonce, View associated, View ciphertext, const Tag& tag,
                           MutableView out) {
  if (gcm_->open(nonce, associated, ciphertext, tag, out)) return {};
  return fail(Errc::corrupted, "block does not open: wrong key, or its bytes were changed");
}

}  // namespace kiseki::crypto
