#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/buffer.h"
#include "base/chunk_reference.h"
#include "crypto/aead.h"
#include "crypto/hash.h"

namespace kiseki::chunk {

/// A chunk as the boundary made it: ciphertext in blocks of the format's size (the last may be short) and one
/// tag a block.
struct SealedChunk {
  ChunkName name;
  ChunkFormat format;
  std::vector<crypto::Tag> tags;
  Buffer ciphertext;  ///< Aligned for direct I/O, padded with nothing.
};
/// Of whoever seals and of the devices that write, on several cores.
using SealedChunkPtr = std::shared_ptr<const SealedChunk>;

struct Extent {
  Bytes offset = 0;
  Bytes length = 0;
  Bytes end() const noexcept { return offset + length; }
  friend bool operator==(const Extent&, const Extent&) = default;
};

/// Consecutive blocks of a chunk, or of one of its fragments.
struct BlockRange {
  std::size_t first = 0, count = 0;
};

/// Blocks read and checked against their checksums. Pieces of parity have no tags.
struct Blocks {
  Buffer ciphertext;
  std::vector<crypto::Tag> tags;
};

/// What a put found.
enum class Put : std::uint8_t {
  stored,
  touched,   ///< The same chunk was there; its last-put epoch was raised.
  conflict,  ///< Another ciphertext stands under this id; nothing was written.
};
struct PutReply {
  Put put = Put::stored;
  GcEpoch epoch;  ///< Of the last put: what a transaction with a reference carries.
  /// A bit for each index that is not durable: the transaction leaves word of it, and repair puts it.
  std::uint32_t missing = 0;
};

Bytes block_size(ChunkFormat format) noexcept;
/// Rule 6.2: as few blocks of at most 64 KiB as divide evenly over k fragments; chunks below k x 16 KiB are
/// m + 1 copies.
ChunkFormat format_for(Profile profile, Bytes length) noexcept;
std::size_t block_count(ChunkFormat format, Bytes length) noexcept;
/// SHA-256 over format, length and tags: what a reference pins.
crypto::Digest256 root_of(ChunkFormat format, Bytes length, std::span<const crypto::Tag> tags);
/// The reference a record keeps once the chunk is stored.
ChunkReference reference_to(const SealedChunk& chunk);

}  // namespace kiseki::chunk
