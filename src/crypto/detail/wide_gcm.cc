#include "base/assert.h"
#include "crypto/aead.h"
#include "crypto/detail/gcm.h"
#include "crypto/secret.h"

#if defined(__x86_64__)

#include <openssl/evp.h>

#define NO_COMPAT_IMB_API_053  // its old names are those of OpenSSL
#include <intel-ipsec-mb.h>

namespace kiseki::crypto::detail {

namespace {

class WideGcm final : public Gcm {
 public:
  explicit WideGcm(const IMB_MGR& library) : library_(library) {}
  ~WideGcm() override { wipe(std::as_writable_bytes(std::span(&key_, 1))); }

  void set_key(View key) override {
    KISEKI_ASSERT(key.size() == 32);
    IMB_AES256_GCM_PRE(&library_, key.data(), &key_);
  }

  void seal(View nonce, View associated, View plaintext, MutableView out, MutableView tag) override {
    KISEKI_ASSERT(nonce.size() == 12 && out.size() == plaintext.size() && tag.size() == tag_size);
    gcm_context_data state;
    IMB_AES256_GCM_ENC(&library_, &key_, &state, octets(out), octets(plaintext), plaintext.size(),
                       octets(nonce), octets(associated), associated.size(), octets(tag), tag.size());
  }

  bool open(View nonce, View associated, View ciphertext, View tag, MutableView out) override {
    KISEKI_ASSERT(nonce.size() == 12 && out.size() == ciphertext.size() && tag.size() == tag_size);
    gcm_context_data state;
    Tag expected;
    IMB_AES256_GCM_DEC(&library_, &key_, &state, octets(out), octets(ciphertext), ciphertext.size(),
                       octets(nonce), octets(associated), associated.size(), octets(MutableView(expected)),
                       expected.size());
    if (equal_constant_time(expected, tag)) return true;
    wipe(out);
    return false;
  }

 private:
  static const std::uint8_t* octets(View view) { return reinterpret_cast<const std::uint8_t*>(view.data()); }
  static std::uint8_t* octets(MutableView view) { return reinterpret_cast<std::uint8_t*>(view.data()); }

  const IMB_MGR& library_;
  gcm_key_data key_{};
};

/// Tables of functions, and no state that these change.
const IMB_MGR* open_library() {
  if (EVP_default_properties_is_fips_enabled(nullptr) == 1) return nullptr;
  IMB_MGR* const library = alloc_mb_mgr(0);
  if (library == nullptr) return nullptr;
  IMB_ARCH arch = IMB_ARCH_NONE;
  init_mb_mgr_auto(library, &arch);
  constexpr std::uint64_t needed = IMB_FEATURE_SELF_TEST_PASS | IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ;
  const bool is_usable =
      imb_get_errno(library) == 0 && arch == IMB_ARCH_AVX512 && (library->features & needed) == needed;
  if (is_usable) return library;
  free_mb_mgr(library);
  return nullptr;
}

}  // namespace

std::unique_ptr<Gcm> wide_gcm() {
  static const IMB_MGR* const library = open_library();
  if (library == nullptr) return nullptr;
  return std::make_unique<WideGcm>(*library);
}

}  // namespace kiseki::crypto::detail

#else

namespace kiseki::crypto::detail {

std::unique_ptr<Gcm> wide_gcm() { return nullptr; }

}  // namespace kiseki::crypto::detail

#endif
