#pragma once

#include <memory>

#include "base/buffer.h"

namespace kiseki::crypto::detail {

/// AES-256-GCM with 96-bit nonces and whole tags (NIST SP 800-38D), one message a call, under the key set
/// last. One thread at a time.
class Gcm {
 public:
  virtual ~Gcm() = default;

  virtual void set_key(View key) = 0;
  /// `out` is as long as the plaintext and may be the same memory.
  virtual void seal(View nonce, View associated, View plaintext, MutableView out, MutableView tag) = 0;
  /// False when the tag does not match; `out` is then zeroed.
  virtual bool open(View nonce, View associated, View ciphertext, View tag, MutableView out) = 0;
};

std::unique_ptr<Gcm> openssl_gcm();
/// Of Intel's library, over vectors of 512 bits. Null where the machine lacks the instructions or OpenSSL is
/// told to keep to validated modules.
std::unique_ptr<Gcm> wide_gcm();
/// The faster of those at hand.
std::unique_ptr<Gcm> fastest_gcm();

}  // namespace kiseki::crypto::detail
