#pragma once

#include <optional>
#include <vector>

#include "chunk/chunk_store.h"
#include "chunk/detail/geometry.h"
#include "crypto/secret.h"

namespace kiseki::chunk::detail {

/// What checks and opens the blocks of a chunk.
struct BlockChecks {
  std::vector<crypto::Tag> tags;
  std::vector<std::uint32_t> checksums;  ///< CRC32C of each block's ciphertext.
  friend bool operator==(const BlockChecks&, const BlockChecks&) = default;
};

/// The clear part of a fragment (docs/formats/fragment.md).
struct FragmentHeader {
  ChunkId id{};
  ChunkFormat format;
  Profile profile = Profile::single;
  std::uint32_t length = 0;
  Position position;
  GcEpoch last_put;
  BlockChecks checks;
};

/// A chunk that may be stored: known codec, sizes in range, as many tags as blocks.
Result<> check_shape(ChunkFormat format, Bytes length, std::size_t tags);
Bytes header_size(ChunkFormat format, Bytes length);
/// Header and ciphertext, both padded.
Bytes fragment_size(ChunkFormat format, Bytes length);

FragmentHeader describe(const SealedChunk& chunk, Position position, GcEpoch last_put);
/// Fills `out`, whose size is `header_size`.
void encode(const FragmentHeader& header, const crypto::Key256& mac, MutableView out);
/// How long the header is that seems to begin with this block; nothing when none does.
std::optional<Bytes> header_size_at(View first_block);
/// `bytes` begins with a whole header that stood at `offset`. `corrupted` when it is none of this device and
/// place.
Result<FragmentHeader> decode_header(View bytes, Bytes offset, const crypto::Key256& mac);

/// The bytes of blocks [first, first + count) within the ciphertext.
Extent blocks_extent(ChunkFormat format, Bytes length, std::size_t first, std::size_t count);
/// Whether `ciphertext`, blocks from `first` on, matches its checksums.
bool matches(const BlockChecks& checks, ChunkFormat format, std::size_t first, View ciphertext);

/// A touch or a delete.
struct Record {
  enum class Kind : std::uint8_t { touch = 1, erase = 2 };
  Kind kind = Kind::touch;
  ChunkId id{};
  GcEpoch epoch;
};
inline constexpr std::size_t records_max = 98;  ///< In one block.

/// One block.
Buffer encode(std::span<const Record> records, Position position, const crypto::Key256& mac);
struct RecordBlock {
  Position position;
  std::vector<Record> records;
};
/// Nothing when the block holds no records of this device and place.
std::optional<RecordBlock> decode_records(View block, Bytes offset, const crypto::Key256& mac);

}  // namespace kiseki::chunk::detail
