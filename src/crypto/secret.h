#pragma once

#include <cstddef>
#include <string>

#include "base/buffer.h"
#include "base/result.h"
#include "base/rng.h"

namespace kiseki::crypto {

/// 32 secret bytes in locked memory that no core dump holds, zeroed when they die. Move-only: a second holder
/// says so with `clone`. Safe to read from every core.
class Key256 {
 public:
  static constexpr std::size_t size = 32;

  static Key256 random(Rng& rng);
  /// `invalid_argument` unless 32 bytes.
  static Result<Key256> copy_of(View bytes);

  Key256(Key256&& other) noexcept;
  Key256& operator=(Key256&& other) noexcept;
  ~Key256();

  Key256 clone() const;
  std::span<const std::byte, size> view() const noexcept;

 private:
  friend class KeyDerivation;
  explicit Key256(std::byte* slot) noexcept : slot_(slot) {}
  std::byte* slot_;
};

/// Zeroes memory in a way the compiler keeps.
void wipe(MutableView memory) noexcept;

/// A secret of any length (an access key's secret): zeroed when it dies. Not locked; keep it short-lived.
class SecretText {
 public:
  explicit SecretText(std::string text) : text_(std::move(text)) {}
  SecretText(SecretText&& other) noexcept = default;
  SecretText& operator=(SecretText&& other) noexcept;
  ~SecretText() { wipe(std::as_writable_bytes(std::span(text_))); }
  std::string_view text() const noexcept { return text_; }

 private:
  std::string text_;
};

}  // namespace kiseki::crypto
