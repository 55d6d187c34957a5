#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>

namespace kiseki {

/// What names a chunk in its store: a keyed hash of the content (convergent) or random (private).
using ChunkId = std::array<std::byte, 32>;

/// Codec and block size of a chunk; part of its id and of its key, so no (key, nonce) pair sees two
/// plaintexts.
struct ChunkFormat {
  std::uint8_t codec = 1;        ///< 1: AES-256-GCM, nonce = block number.
  std::uint8_t block_units = 0;  ///< Plaintext block size in units of 4 KiB, 1 to 16.
  friend auto operator<=>(const ChunkFormat&, const ChunkFormat&) = default;
};

/// How a chunk is spread over devices: 1 = one copy on one device.
enum class Profile : std::uint8_t { single = 1 };

/// A metadata record's pointer to sealed bytes (docs/formats/record.md). Clear below the boundary.
struct ChunkReference {
  ChunkId id{};
  ChunkFormat format;
  Profile profile = Profile::single;
  std::uint32_t length = 0;          ///< Bytes of plaintext, and of ciphertext without tags; > 0.
  std::array<std::byte, 32> root{};  ///< SHA-256 over the block tags: pins the ciphertext.
  friend bool operator==(const ChunkReference&, const ChunkReference&) = default;
};

}  // namespace kiseki
