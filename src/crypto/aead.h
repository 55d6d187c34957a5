#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "base/buffer.h"
#include "base/result.h"
#include "base/rng.h"
#include "crypto/secret.h"

namespace kiseki::crypto {

namespace detail {
class Gcm;
}

inline constexpr std::size_t tag_size = 16;
using Tag = std::array<std::byte, tag_size>;
using Nonce96 = std::array<std::byte, 12>;
using Nonce192 = std::array<std::byte, 24>;

/// Bytes that only the holder of a key can read. The one form in which a tenant's bytes go below the
/// boundary: made by sealing, or taken from where sealed bytes are kept.
class Sealed {
 public:
  Sealed() = default;
  /// `bytes` were sealed before: they come from a disk, a log or a peer.
  static Sealed from_store(std::string bytes) { return Sealed(std::move(bytes)); }
  View view() const noexcept { return as_view(bytes_); }
  bool empty() const noexcept { return bytes_.empty(); }
  friend bool operator==(const Sealed&, const Sealed&) = default;

 private:
  explicit Sealed(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string bytes_;
};

/// AES-256-GCM with one key for many blocks (NIST SP 800-38D). Ciphertext is as long as plaintext; tags
/// apart. One core at a time. Never two plaintexts under one (key, nonce).
class BlockCipher {
 public:
  explicit BlockCipher(const Key256& key);
  BlockCipher(BlockCipher&&) noexcept;
  BlockCipher& operator=(BlockCipher&&) noexcept;
  ~BlockCipher();

  /// `out.size() == plaintext.size()`; may be the same memory.
  Tag seal(const Nonce96& nonce, View associated, View plaintext, MutableView out);
  /// `corrupted` when the tag does not match; `out` is then zeroed.
  Result<> open(const Nonce96& nonce, View associated, View ciphertext, const Tag& tag, MutableView out);

 private:
  std::unique_ptr<detail::Gcm> gcm_;
};

/// XAES-256-GCM (C2SP XAES-256-GCM): random 24-byte nonces are safe under one key for ever. Output is
/// ciphertext ‖ tag.
Sealed seal_record(const Key256& key, const Nonce192& nonce, View associated, View plaintext);
/// `corrupted` when it does not open.
Result<std::string> open_record(const Key256& key, const Nonce192& nonce, View associated, View sealed);

Nonce192 random_nonce(Rng& rng);

}  // namespace kiseki::crypto
