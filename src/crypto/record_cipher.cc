#include <array>
#include <cstring>

#include "crypto/aead.h"
#include "crypto/detail/gcm.h"
#include "crypto/detail/openssl.h"

// XAES-256-GCM, https://c2sp.org/XAES-256-GCM: a key derived from the first half of the nonce by CMAC (SP
// 800-108r1), then AES-256-GCM with the second half.

namespace kiseki::crypto {
namespace {

using Block = std::array<std::byte, 16>;

/// One thread's cipher contexts. The key of the last record stays in them until the next.
struct Contexts {
  detail::CipherContext ecb = detail::cipher_context(detail::algorithms().aes256_ecb);
  std::unique_ptr<detail::Gcm> gcm = detail::fastest_gcm();
};

Contexts& contexts() {
  thread_local Contexts mine;
  return mine;
}

void encrypt_blocks(EVP_CIPHER_CTX* ecb, MutableView blocks) {
  int written = 0;
  detail::require(EVP_EncryptUpdate(ecb, detail::octets(blocks), &written, detail::octets(View(blocks)),
                                    static_cast<int>(blocks.size())));
  KISEKI_ASSERT(static_cast<std::size_t>(written) == blocks.size());
}

/// Steps 1 and 2 of the specification: L doubled in GF(2^128), without a branch on secret bits.
Block cmac_subkey(EVP_CIPHER_CTX* ecb) {
  Block block{};
  encrypt_blocks(ecb, block);
  const auto carry = static_cast<unsigned>(block[0]) >> 7;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const auto next = i + 1 < block.size() ? static_cast<unsigned>(block[i + 1]) >> 7 : 0U;
    block[i] = static_cast<std::byte>((static_cast<unsigned>(block[i]) << 1) | next);
  }
  block.back() ^= static_cast<std::byte>((0U - carry) & 0b10000111U);
  return block;
}

/// Steps 3 to 5: leaves the derived key in `gcm`.
void derive_key(Contexts& state, const Key256& key, const Nonce192& nonce) {
  detail::require(
      EVP_CipherInit_ex2(state.ecb.get(), nullptr, detail::octets(key.view()), nullptr, 1, nullptr));
  Block subkey = cmac_subkey(state.ecb.get());
  std::array<std::byte, 32> derived{};
  for (std::size_t half = 0; half < 2; ++half) {
    const auto message = std::span(derived).subspan(half * 16, 16);
    message[1] = static_cast<std::byte>(half + 1);
    message[2] = std::byte{'X'};
    std::memcpy(&message[4], nonce.data(), 12);
    for (std::size_t i = 0; i < subkey.size(); ++i) message[i] ^= subkey[i];
  }
  encrypt_blocks(state.ecb.get(), derived);
  state.gcm->set_key(derived);
  wipe(derived);
  wipe(subkey);
}

View gcm_nonce(const Nonce192& nonce) { return View(nonce).subspan(12); }

}  // namespace

Sealed seal_record(const Key256& key, const Nonce192& nonce, View associated, View plaintext) {
  Contexts& state = contexts();
  derive_key(state, key, nonce);
  std::string out(plaintext.size() + tag_size, '\0');
  const auto bytes = std::as_writable_bytes(std::span(out));
  state.gcm->seal(gcm_nonce(nonce), associated, plaintext, bytes.first(plaintext.size()),
                  bytes.last(tag_size));
  return Sealed::from_store(std::move(out));
}

Result<std::string> open_record(const Key256& key, const Nonce192& nonce, View associated, View sealed) {
  if (sealed.size() < tag_size) return fail(Errc::corrupted, "sealed record is shorter than its tag");
  Contexts& state = contexts();
  derive_key(state, key, nonce);
  const View ciphertext = sealed.first(sealed.size() - tag_size);
  std::string out(ciphertext.size(), '\0');
  const bool opened = state.gcm->open(gcm_nonce(nonce), associated, ciphertext, sealed.last(tag_size),
                                      std::as_writable_bytes(std::span(out)));
  if (!opened)
    return fail(Errc::corrupted, "sealed record does not open: wrong key, or its bytes were changed");
  return out;
}

Nonce192 random_nonce(Rng& rng) {
  Nonce192 nonce;
  rng.fill(nonce);
  return nonce;
}

}  // namespace kiseki::crypto
