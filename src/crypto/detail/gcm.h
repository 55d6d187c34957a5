#pragma once

#include "crypto/aead.h"
#include "crypto/detail/openssl.h"

namespace kiseki::crypto::detail {

/// Encrypts with the key that `context` holds already.
void gcm_seal(EVP_CIPHER_CTX* context, View nonce, View associated, View plaintext, MutableView out,
              MutableView tag);
/// False when the tag does not match; `out` is then zeroed.
bool gcm_open(EVP_CIPHER_CTX* context, View nonce, View associated, View ciphertext, View tag,
              MutableView out);

}  // namespace kiseki::crypto::detail
