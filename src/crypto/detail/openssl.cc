#include "crypto/detail/openssl.h"

namespace kiseki::crypto::detail {

const Algorithms& algorithms() {
  static const Algorithms fetched{
      .aes256_gcm = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr),
      .aes256_ecb = EVP_CIPHER_fetch(nullptr, "AES-256-ECB", nullptr),
      .sha256 = EVP_MD_fetch(nullptr, "SHA2-256", nullptr),
      .sha1 = EVP_MD_fetch(nullptr, "SHA1", nullptr),
      .md5 = EVP_MD_fetch(nullptr, "MD5", nullptr),
      .hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr),
  };
  return fetched;
}

CipherContext cipher_context(const EVP_CIPHER* cipher) {
  KISEKI_ASSERT(cipher != nullptr);
  CipherContext context(EVP_CIPHER_CTX_new());
  KISEKI_ASSERT(context != nullptr);
  require(EVP_CipherInit_ex2(context.get(), cipher, nullptr, nullptr, 1, nullptr));
  return context;
}

DigestContext digest_context(const EVP_MD* digest) {
  KISEKI_ASSERT(digest != nullptr);
  DigestContext context(EVP_MD_CTX_new());
  KISEKI_ASSERT(context != nullptr);
  require(EVP_DigestInit_ex2(context.get(), digest, nullptr));
  return context;
}

}  // namespace kiseki::crypto::detail
