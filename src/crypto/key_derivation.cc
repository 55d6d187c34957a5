#include <algorithm>
#include <cstring>
#include <openssl/core_names.h>
#include <openssl/params.h>

#include "crypto/detail/hkdf.h"
#include "crypto/detail/openssl.h"
#include "crypto/hash.h"

namespace kiseki::crypto {
namespace {

constexpr std::size_t digest_size = 32;

detail::MacContext hmac_context() {
  KISEKI_ASSERT(detail::algorithms().hmac != nullptr);
  detail::MacContext context(EVP_MAC_CTX_new(detail::algorithms().hmac));
  KISEKI_ASSERT(context != nullptr);
  char digest[] = "SHA2-256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                   OSSL_PARAM_construct_end()};
  detail::require(EVP_MAC_CTX_set_params(context.get(), parameters));
  return context;
}

}  // namespace

Digest256 hmac_sha256(View key, std::initializer_list<View> parts) {
  thread_local const detail::MacContext context = hmac_context();
  // OpenSSL reads a null key as "the one before".
  const unsigned char none = 0;
  const unsigned char* const key_octets = key.empty() ? &none : detail::octets(key);
  detail::require(EVP_MAC_init(context.get(), key_octets, key.size(), nullptr));
  for (const View part : parts) {
    if (!part.empty()) detail::require(EVP_MAC_update(context.get(), detail::octets(part), part.size()));
  }
  Digest256 out;
  std::size_t written = 0;
  detail::require(EVP_MAC_final(context.get(), detail::octets(MutableView(out)), &written, out.size()));
  KISEKI_ASSERT(written == out.size());
  return out;
}

namespace detail {

void hkdf_sha256(View secret, View salt, View info, MutableView out) {
  KISEKI_ASSERT(out.size() <= 255 * digest_size);
  Digest256 extracted = hmac_sha256(salt, {secret});
  Digest256 block{};
  std::size_t previous = 0;
  for (std::byte number{1}; !out.empty();
       number = static_cast<std::byte>(static_cast<unsigned>(number) + 1)) {
    block = hmac_sha256(extracted, {View(block).first(previous), info, View(&number, 1)});
    previous = block.size();
    const std::size_t count = std::min(out.size(), block.size());
    std::memcpy(out.data(), block.data(), count);
    out = out.subspan(count);
  }
  wipe(extracted);
  wipe(block);
}

}  // namespace detail

Key256 hkdf_sha256(View secret, View salt, View info) {
  KISEKI_ASSERT(!info.empty());
  Key256 key;
  detail::hkdf_sha256(secret, salt, info, key.writable());
  return key;
}

}  // namespace kiseki::crypto
