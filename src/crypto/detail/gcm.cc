#include "crypto/detail/gcm.h"

#include <climits>
#include <cstring>

#include "crypto/aead.h"
#include "crypto/detail/openssl.h"

namespace kiseki::crypto::detail {

namespace {

class OpensslGcm final : public Gcm {
 public:
  void set_key(View key) override {
    require(EVP_CipherInit_ex2(context_.get(), nullptr, octets(key), nullptr, 1, nullptr));
  }

  void seal(View nonce, View associated, View plaintext, MutableView out, MutableView tag) override {
    require(EVP_CipherInit_ex2(context_.get(), nullptr, nullptr, octets(nonce), 1, nullptr));
    update(associated, plaintext, out);
    unsigned char nothing[tag_size];
    int written = 0;
    require(EVP_CipherFinal_ex(context_.get(), nothing, &written));
    require(
        EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(tag.size()), tag.data()));
  }

  bool open(View nonce, View associated, View ciphertext, View tag, MutableView out) override {
    require(EVP_CipherInit_ex2(context_.get(), nullptr, nullptr, octets(nonce), 0, nullptr));
    Tag expected;
    KISEKI_ASSERT(tag.size() == expected.size());
    std::memcpy(expected.data(), tag.data(), tag.size());
    require(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag_size),
                                expected.data()));
    update(associated, ciphertext, out);
    unsigned char nothing[tag_size];
    int written = 0;
    if (EVP_CipherFinal_ex(context_.get(), nothing, &written) == 1) return true;
    wipe(out);
    return false;
  }

 private:
  /// One pass over associated data and text; direction and nonce are set.
  void update(View associated, View text, MutableView out) {
    KISEKI_ASSERT(associated.size() <= INT_MAX && text.size() <= INT_MAX && out.size() == text.size());
    int written = 0;
    if (!associated.empty()) {
      const int size = static_cast<int>(associated.size());
      require(EVP_CipherUpdate(context_.get(), nullptr, &written, octets(associated), size));
    }
    if (!text.empty()) {
      const int size = static_cast<int>(text.size());
      require(EVP_CipherUpdate(context_.get(), octets(out), &written, octets(text), size));
      KISEKI_ASSERT(written == size);
    }
  }

  CipherContext context_ = cipher_context(algorithms().aes256_gcm);
};

}  // namespace

std::unique_ptr<Gcm> openssl_gcm() { return std::make_unique<OpensslGcm>(); }

std::unique_ptr<Gcm> fastest_gcm() {
  if (auto wide = wide_gcm()) return wide;
  return openssl_gcm();
}

}  // namespace kiseki::crypto::detail
