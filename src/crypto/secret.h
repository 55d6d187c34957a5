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
  friend Key256 hkdf_sha256(View secret, View salt, View info);

  Key256();  // all zero, until its maker writes it
  std::span<std::byte, size> writable() noexcept { return std::span<std::byte, size>(slot_, size); }

  std::byte* slot_;  // null once moved from
};

/// Memory that holds keys, and how much of it the machine did not lock (RLIMIT_MEMLOCK).
struct KeyMemory {
  Bytes total = 0;
  Bytes unlocked = 0;
};
KeyMemory key_memory();
/// From now on a key that finds no locked memory fails with `std::bad_alloc`. `denied` when there is none at
/// all.
Result<> refuse_unlocked_keys();

/// Zeroes memory in a way the compiler keeps.
void wipe(MutableView memory) noexcept;

/// A secret of any length (an access key's secret): zeroed when it dies. Not locked; keep it short-lived.
class SecretText {
 public:
  explicit SecretText(std::string text);
  SecretText(SecretText&& other) noexcept;
  SecretText& operator=(SecretText&& other) noexcept;
  ~SecretText();
  std::string_view text() const noexcept { return text_; }

 private:
  std::string text_;
};

}  // namespace kiseki::crypto
