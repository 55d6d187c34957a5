#pragma once

#include <optional>
#include <vector>

#include "chunk/device.h"
#include "chunk/device/geometry.h"
#include "crypto/secret.h"

namespace kiseki::chunk::detail {

/// What checks and opens the blocks of a chunk, as in its description.
struct BlockChecks {
  std::vector<crypto::Tag> tags;
  std::vector<std::uint32_t> checksums;
  friend bool operator==(const BlockChecks&, const BlockChecks&) = default;
};

/// The clear part of a fragment (docs/formats/fragment.md).
struct FragmentHeader {
  FragmentKey key;
  ChunkFormat format;
  std::uint32_t length = 0;
  Position position;
  GcEpoch last_put;
  BlockChecks checks;
};

/// A chunk that may be stored: known format, sizes in range, as many tags as blocks.
Result<> check_shape(ChunkFormat format, Bytes length, std::size_t tags);
/// A fragment that may be: of such a chunk, and as many bytes and checksums as its index has.
Result<> check_shape(const Fragment& fragment);
Bytes header_size(ChunkFormat format, Bytes length);
/// Header and bytes, both padded.
Bytes fragment_size(ChunkFormat format, Bytes length, std::uint8_t index);

/// Where and when a fragment is written.
struct Writing {
  Position position;
  GcEpoch last_put;
};
FragmentHeader describe(const Fragment& fragment, const Writing& writing);
/// Fills `out`, whose size is `header_size`.
void encode(const FragmentHeader& header, const crypto::Key256& mac, MutableView out);
/// How long the header is that seems to begin with this block; nothing when none does.
std::optional<Bytes> header_size_at(View first_block);
/// `bytes` begins with a whole header that stood at `offset`. `corrupted` when it is none of this device and
/// place.
Result<FragmentHeader> decode_header(View bytes, Bytes offset, const crypto::Key256& mac);

/// The bytes of the blocks within a fragment of this length.
Extent blocks_extent(ChunkFormat format, Bytes length, BlockRange range);
/// Whether `bytes`, of which `first` is the first checksum, match.
bool matches(const BlockChecks& checks, ChunkFormat format, std::size_t first, View bytes);

/// A touch or a delete, as it stands in a journal block.
struct JournalEntry {
  enum class Kind : std::uint8_t { touch = 1, erase = 2 };
  Kind kind = Kind::touch;
  FragmentKey key;
  GcEpoch epoch;
};
struct JournalBlock {
  static constexpr std::size_t entries_max = 74;
  Position position;
  std::vector<JournalEntry> entries;
};
/// One unit.
Buffer encode(const JournalBlock& block, const crypto::Key256& mac);
/// Nothing when it is no journal block of this device and place.
std::optional<JournalBlock> decode_journal_block(View bytes, Bytes offset, const crypto::Key256& mac);

}  // namespace kiseki::chunk::detail
