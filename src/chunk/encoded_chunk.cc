#include "chunk/encoded_chunk.h"

#include <algorithm>

#include "base/assert.h"
#include "crypto/checksum.h"

namespace kiseki::chunk {

namespace {

/// Up to `size` bytes from `offset` on; nothing behind the end.
template <class Memory>
Memory piece_of(Memory bytes, Bytes offset, Bytes size) {
  if (offset >= bytes.size()) return {};
  return bytes.subspan(offset, std::min<Bytes>(size, bytes.size() - offset));
}

std::shared_ptr<ChunkDescription> description_of(const SealedChunk& chunk) {
  auto description = std::make_shared<ChunkDescription>();
  description->name = chunk.name;
  description->format = chunk.format;
  description->length = static_cast<std::uint32_t>(chunk.ciphertext.size());
  description->tags = chunk.tags;
  description->checksums.resize(checksum_count(chunk.format, chunk.ciphertext.size()));
  return description;
}

std::shared_ptr<ChunkDescription> checked_description_of(const SealedChunk& chunk) {
  auto description = description_of(chunk);
  const Bytes size = block_size(chunk.format);
  for (std::size_t block = 0; block < description->checksums.size(); ++block) {
    description->checksums[block] = crypto::crc32c(piece_of(chunk.ciphertext.view(), block * size, size));
  }
  return description;
}

/// A chunk with its parity, while it is encoded and then while its fragments are written.
class Encoded {
 public:
  explicit Encoded(SealedChunkPtr chunk)
      : chunk_(std::move(chunk)),
        format_(chunk_->format),
        length_(chunk_->ciphertext.size()),
        parity_length_(fragment_length(format_, length_, format_.data)),
        stride_(round_up(parity_length_, Buffer::alignment)),
        parity_(stride_ * format_.parity) {}

  std::shared_ptr<const ChunkDescription> encode(ErasureCodes& codes) {
    auto description = description_of(*chunk_);
    for (std::size_t row = 0; row < row_count(format_, length_); ++row) encode_row(row, codes, *description);
    return description;
  }

  View fragment(std::uint8_t index) const {
    if (index >= format_.data)
      return parity_.view().subspan(stride_ * (index - format_.data), parity_length_);
    const Extent extent = data_extent(format_, length_, index);
    return chunk_->ciphertext.view().subspan(extent.offset, extent.length);
  }

 private:
  void encode_row(std::size_t row, ErasureCodes& codes, ChunkDescription& description) {
    const Bytes size = block_size(format_);
    const Bytes offset = row * size;
    std::vector<Source> sources;
    std::vector<Target> targets;
    for (std::uint8_t index = 0; index < format_.data; ++index) {
      sources.push_back({index, piece_of(fragment(index), offset, size)});
    }
    for (std::uint8_t i = 0; i < format_.parity; ++i) {
      const auto whole = parity_.span().subspan(stride_ * i, parity_length_);
      targets.push_back({static_cast<std::uint8_t>(format_.data + i), piece_of(whole, offset, size)});
    }
    codes.compute({format_.data, format_.parity}, sources, targets);
    const auto check = [&](std::uint8_t index, View bytes) {
      if (bytes.empty()) return;
      description.checksums[first_checksum(format_, length_, index) + row] = crypto::crc32c(bytes);
    };
    for (const Source& source : sources) check(source.index, source.bytes);
    for (const Target& target : targets) check(target.index, target.bytes);
  }

  SealedChunkPtr chunk_;
  ChunkFormat format_;
  Bytes length_, parity_length_, stride_;
  Buffer parity_;
};

}  // namespace

std::size_t fragment_count(ChunkFormat format) noexcept { return format.data + format.parity; }

std::size_t row_count(ChunkFormat format, Bytes length) noexcept {
  return (block_count(format, length) + format.data - 1) / format.data;
}

Extent data_extent(ChunkFormat format, Bytes length, std::uint8_t index) noexcept {
  if (format.data == 1) return {0, length};
  const Bytes whole = row_count(format, length) * block_size(format);
  const Bytes from = std::min(length, index * whole);
  return {from, std::min(length, from + whole) - from};
}

Bytes fragment_length(ChunkFormat format, Bytes length, std::uint8_t index) noexcept {
  return data_extent(format, length, index < format.data ? index : 0).length;
}

std::size_t checksum_count(ChunkFormat format, Bytes length) noexcept {
  const std::size_t blocks = block_count(format, length);
  return format.data == 1 ? blocks : blocks + format.parity * row_count(format, length);
}

std::size_t first_checksum(ChunkFormat format, Bytes length, std::uint8_t index) noexcept {
  if (format.data == 1) return 0;
  const std::size_t blocks = block_count(format, length);
  const std::size_t rows = row_count(format, length);
  if (index < format.data) return std::min(blocks, index * rows);
  return blocks + (index - format.data) * rows;
}

ChunkReference reference_to(const ChunkDescription& chunk) {
  return {.id = chunk.name.id,
          .format = chunk.format,
          .pool = chunk.name.pool,
          .length = chunk.length,
          .root = root_of(chunk.format, chunk.length, chunk.tags)};
}

std::vector<Fragment> encode(SealedChunkPtr chunk, ErasureCodes& codes) {
  const ChunkFormat format = chunk->format;
  std::vector<Fragment> fragments;
  if (format.data == 1) {
    const Fragment first = copy_of(std::move(chunk), 0);
    for (std::size_t i = 0; i < fragment_count(format); ++i) {
      fragments.push_back(first);
      fragments.back().index = static_cast<std::uint8_t>(i);
    }
    return fragments;
  }
  const auto encoded = std::make_shared<Encoded>(std::move(chunk));
  const ChunkDescriptionPtr description = encoded->encode(codes);
  for (std::size_t i = 0; i < fragment_count(format); ++i) {
    const auto index = static_cast<std::uint8_t>(i);
    fragments.push_back({description, index, encoded->fragment(index), encoded});
  }
  return fragments;
}

Fragment copy_of(SealedChunkPtr chunk, std::uint8_t index) {
  KISEKI_ASSERT(chunk->format.data == 1);
  auto description = checked_description_of(*chunk);
  const View bytes = chunk->ciphertext.view();
  return {std::move(description), index, bytes, std::move(chunk)};
}

}  // namespace kiseki::chunk
