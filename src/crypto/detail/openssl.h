#pragma once

#include <memory>
#include <openssl/evp.h>

#include "base/assert.h"
#include "base/buffer.h"

namespace kiseki::crypto::detail {

/// Algorithms as OpenSSL 3 wants them: fetched once, because a fetch takes locks and microseconds. They live
/// as long as the process. One that the loaded providers do not offer (MD5 on a FIPS provider) is null.
struct Algorithms {
  EVP_CIPHER* aes256_gcm;
  EVP_CIPHER* aes256_ecb;
  EVP_MD* sha256;
  EVP_MD* sha1;
  EVP_MD* md5;
  EVP_MAC* hmac;
};
const Algorithms& algorithms();

/// For calls that fail only on a bug or without memory.
inline void require(int result) { KISEKI_ASSERT(result == 1); }

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
  void operator()(EVP_MAC_CTX* context) const noexcept { EVP_MAC_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeContext>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, FreeContext>;

/// A context that knows its cipher and has no key yet.
CipherContext cipher_context(const EVP_CIPHER* cipher);
DigestContext digest_context(const EVP_MD* digest);

inline const unsigned char* octets(View view) { return reinterpret_cast<const unsigned char*>(view.data()); }
inline unsigned char* octets(MutableView view) { return reinterpret_cast<unsigned char*>(view.data()); }

}  // namespace kiseki::crypto::detail
