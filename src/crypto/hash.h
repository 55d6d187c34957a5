#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>

#include "base/buffer.h"
#include "crypto/secret.h"

namespace kiseki::crypto {

template <std::size_t N>
using Digest = std::array<std::byte, N>;
using Digest256 = Digest<32>;
using DigestMd5 = Digest<16>;
using DigestSha1 = Digest<20>;

enum class HashKind : std::uint8_t { sha256, md5, sha1 };

/// A hash over bytes that arrive in pieces. One core at a time.
class Hasher {
 public:
  explicit Hasher(HashKind kind);
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  ~Hasher();

  void update(View bytes);
  /// The digest of all so far; the hasher starts again. `out` is 32, 16 or 20 bytes, as the kind says.
  void finish(MutableView out);
  template <std::size_t N>
  Digest<N> finish() {
    Digest<N> out;
    finish(std::span<std::byte>(out));
    return out;
  }

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

Digest256 sha256(View bytes);
DigestMd5 md5(View bytes);

/// HMAC-SHA-256 (RFC 2104) over the concatenation of `parts`.
Digest256 hmac_sha256(View key, std::initializer_list<View> parts);

/// HKDF-SHA-256 (RFC 5869), 32 bytes; `info` separates the uses of one secret and is never empty.
Key256 hkdf_sha256(View secret, View salt, View info);

}  // namespace kiseki::crypto
