#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>

#include "base/codec.h"
#include "base/ids.h"

namespace kiseki {

/// Devices that keep chunks by one profile. Never reused; the first is 1.
using PoolId = Id<struct PoolTag, std::uint32_t>;

/// What names a chunk in its store: a keyed hash of the content (convergent) or random (private).
using ChunkId = std::array<std::byte, 32>;

/// What a chunk is called below the boundary. The namespace is part of it: no tenant can put, touch or poison
/// what another's rows name. Ordered by id first, so a range of ids is a range of names.
struct ChunkName {
  ChunkId id{};
  NamespaceId ns;
  PoolId pool;
  friend auto operator<=>(const ChunkName&, const ChunkName&) = default;
};

/// How the chunks of a pool are spread over its devices: k fragments with data and m with parity.
struct Profile {
  static constexpr std::uint8_t data_max = 28, parity_max = 4;
  std::uint8_t data = 1;
  std::uint8_t parity = 0;
  friend bool operator==(Profile, Profile) = default;
};

/// Codec, spread and block size of a chunk; part of its id and of its key, so no (key, nonce) pair sees two
/// plaintexts.
struct ChunkFormat {
  std::uint8_t codec = 1;        ///< 1: AES-256-GCM, nonce = block number.
  std::uint8_t data = 1;         ///< k; 1: every fragment is a copy.
  std::uint8_t parity = 0;       ///< m
  std::uint8_t block_units = 0;  ///< Plaintext block size in units of 4 KiB, 1 to 16.
  friend auto operator<=>(const ChunkFormat&, const ChunkFormat&) = default;

  bool is_known() const noexcept {
    return codec == 1 && data >= 1 && data <= Profile::data_max && parity <= Profile::parity_max &&
           block_units >= 1 && block_units <= 16;
  }
};

/// A metadata record's pointer to sealed bytes (docs/formats/record.md). Clear below the boundary. Its chunk
/// is of the namespace that the record is in.
struct ChunkReference {
  ChunkId id{};
  ChunkFormat format;
  PoolId pool;
  std::uint32_t length = 0;          ///< Bytes of plaintext, and of ciphertext without tags; > 0.
  std::array<std::byte, 32> root{};  ///< SHA-256 over the block tags: pins the ciphertext.
  friend bool operator==(const ChunkReference&, const ChunkReference&) = default;
};

inline ChunkName name_of(NamespaceId ns, const ChunkReference& reference) {
  return {reference.id, ns, reference.pool};
}

// Encodings that several formats share (docs/formats/chunk.md).

inline Encoder& write(Encoder& out, ChunkFormat format) {
  return out.integer(format.codec).integer(format.data).integer(format.parity).integer(format.block_units);
}
inline Encoder& write(Encoder& out, const ChunkName& name) {
  return out.raw(name.id).id(name.ns).id(name.pool);
}
/// Rejects what this build does not know.
ChunkFormat read_chunk_format(Decoder& in);
ChunkName read_chunk_name(Decoder& in);

}  // namespace kiseki
