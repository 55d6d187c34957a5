#include <climits>
#include <cstring>
#include <utility>

#include "crypto/aead.h"
#include "crypto/detail/gcm.h"

namespace kiseki::crypto {

namespace detail {
namespace {

/// One pass over associated data and text; the direction and nonce are set.
void gcm_update(EVP_CIPHER_CTX* context, View associated, View text, MutableView out) {
  KISEKI_ASSERT(associated.size() <= INT_MAX && text.size() <= INT_MAX && out.size() == text.size());
  int written = 0;
  if (!associated.empty()) {
    const int size = static_cast<int>(associated.size());
    require(EVP_CipherUpdate(context, nullptr, &written, octets(associated), size));
  }
  if (!text.empty()) {
    const int size = static_cast<int>(text.size());
    require(EVP_CipherUpdate(context, octets(out), &written, octets(text), size));
    KISEKI_ASSERT(written == size);
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-function-size): the inputs and outputs of SP 800-38D, and the context
void gcm_seal(EVP_CIPHER_CTX* context, View nonce, View associated, View plaintext, MutableView out,
              MutableView tag) {
  require(EVP_CipherInit_ex2(context, nullptr, nullptr, octets(nonce), 1, nullptr));
  gcm_update(context, associated, plaintext, out);
  unsigned char nothing[tag_size];
  int written = 0;
  require(EVP_CipherFinal_ex(context, nothing, &written));
  require(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(tag.size()), tag.data()));
}

// NOLINTNEXTLINE(readability-function-size): the same
bool gcm_open(EVP_CIPHER_CTX* context, View nonce, View associated, View ciphertext, View tag,
              MutableView out) {
  require(EVP_CipherInit_ex2(context, nullptr, nullptr, octets(nonce), 0, nullptr));
  Tag expected;
  KISEKI_ASSERT(tag.size() == expected.size());
  std::memcpy(expected.data(), tag.data(), tag.size());
  require(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag_size), expected.data()));
  gcm_update(context, associated, ciphertext, out);
  unsigned char nothing[tag_size];
  int written = 0;
  if (EVP_CipherFinal_ex(context, nothing, &written) == 1) return true;
  wipe(out);
  return false;
}

}  // namespace detail

struct BlockCipher::Context {
  detail::CipherContext gcm = detail::cipher_context(detail::algorithms().aes256_gcm);
};

BlockCipher::BlockCipher(const Key256& key) : context_(std::make_unique<Context>()) {
  detail::require(
      EVP_CipherInit_ex2(context_->gcm.get(), nullptr, detail::octets(key.view()), nullptr, 1, nullptr));
}

BlockCipher::BlockCipher(BlockCipher&&) noexcept = default;
BlockCipher& BlockCipher::operator=(BlockCipher&&) noexcept = default;
BlockCipher::~BlockCipher() = default;

Tag BlockCipher::seal(const Nonce96& nonce, View associated, View plaintext, MutableView out) {
  Tag tag;
  detail::gcm_seal(context_->gcm.get(), nonce, associated, plaintext, out, tag);
  return tag;
}

Result<> BlockCipher::open(const Nonce96& nonce, View associated, View ciphertext, const Tag& tag,
                           MutableView out) {
  if (detail::gcm_open(context_->gcm.get(), nonce, associated, ciphertext, tag, out)) return {};
  return fail(Errc::corrupted, "block does not open: wrong key, or its bytes were changed");
}

}  // namespace kiseki::crypto
