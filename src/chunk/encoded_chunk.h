#pragma once

#include "chunk/erasure_codes.h"
#include "chunk/pool_map.h"
#include "chunk/sealed_chunk.h"

namespace kiseki::chunk {

// How a chunk lies in its fragments (docs/formats/chunk.md).

/// Copies of one data fragment, else k + m.
std::size_t fragment_count(ChunkFormat format) noexcept;
/// Blocks of a whole data fragment, and pieces of a parity fragment: a row is one of each.
std::size_t row_count(ChunkFormat format, Bytes length) noexcept;
/// The bytes of the ciphertext that stand in a data fragment; empty for one behind the end.
Extent data_extent(ChunkFormat format, Bytes length, std::uint8_t index) noexcept;
/// Bytes of a fragment, data or parity.
Bytes fragment_length(ChunkFormat format, Bytes length, std::uint8_t index) noexcept;
/// Checksums: one a block, and one a piece of each parity fragment.
std::size_t checksum_count(ChunkFormat format, Bytes length) noexcept;
/// Where those of a fragment begin.
std::size_t first_checksum(ChunkFormat format, Bytes length, std::uint8_t index) noexcept;

/// What every fragment of a chunk says of it: enough to check the bytes of each.
struct ChunkDescription {
  ChunkName name;
  ChunkFormat format;
  std::uint32_t length = 0;              ///< Of the ciphertext.
  std::vector<crypto::Tag> tags;         ///< A block.
  std::vector<std::uint32_t> checksums;  ///< CRC32C of blocks, then of pieces of parity.
  friend bool operator==(const ChunkDescription&, const ChunkDescription&) = default;
};
/// Of whoever seals or repairs and of the devices that write, on several cores.
using ChunkDescriptionPtr = std::shared_ptr<const ChunkDescription>;
ChunkReference reference_to(const ChunkDescription& chunk);

/// What a device keeps of a chunk, on its way there.
struct Fragment {
  ChunkDescriptionPtr chunk;
  std::uint8_t index = 0;
  View bytes;
  /// Holds the bytes: of whoever seals or repairs and of the device that writes.
  std::shared_ptr<const void> memory;
  GroupVersion group{};  ///< By which its device was chosen.
};

/// All fragments of a chunk, in one pass: data where it lies, parity beside it. Checksums are taken while the
/// bytes are in the cache.
std::vector<Fragment> encode(SealedChunkPtr chunk, ErasureCodes& codes);
/// Of a chunk of one data fragment.
Fragment copy_of(SealedChunkPtr chunk, std::uint8_t index);

}  // namespace kiseki::chunk
