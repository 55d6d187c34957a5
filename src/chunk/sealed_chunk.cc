#include "chunk/sealed_chunk.h"

#include "base/assert.h"

namespace kiseki::chunk {

namespace {

constexpr Bytes block_unit = 4_KiB;
constexpr Bytes block_size_max = 64_KiB;
constexpr Bytes coded_fragment_min = 16_KiB;

}  // namespace

Bytes block_size(ChunkFormat format) noexcept { return format.block_units * block_unit; }

ChunkFormat format_for(Profile profile, Bytes length) noexcept {
  if (length < profile.data * coded_fragment_min) profile.data = 1;
  // First how many blocks a fragment has, as few as there can be; then how large they are.
  const Bytes wide = profile.data * block_size_max;
  const Bytes rows = profile.data == 1 ? 1 : (length + wide - 1) / wide;
  const Bytes blocks = profile.data * rows;
  const Bytes size = std::min(block_size_max, round_up((length + blocks - 1) / blocks, block_unit));
  return {.codec = 1,
          .data = profile.data,
          .parity = profile.parity,
          .block_units = static_cast<std::uint8_t>(size / block_unit)};
}

std::size_t block_count(ChunkFormat format, Bytes length) noexcept {
  return round_up(length, block_size(format)) / block_size(format);
}

crypto::Digest256 root_of(ChunkFormat format, Bytes length, std::span<const crypto::Tag> tags) {
  std::string head;
  Encoder out(head);
  write(out, format).integer(static_cast<std::uint32_t>(length));
  crypto::Hasher hasher(crypto::HashKind::sha256);
  hasher.update(as_view(head));
  hasher.update(std::as_bytes(tags));
  return hasher.finish<32>();
}

ChunkReference reference_to(const SealedChunk& chunk) {
  const Bytes length = chunk.ciphertext.size();
  KISEKI_ASSERT(length > 0 && length <= UINT32_MAX);
  return {.id = chunk.name.id,
          .format = chunk.format,
          .pool = chunk.name.pool,
          .length = static_cast<std::uint32_t>(length),
          .root = root_of(chunk.format, length, chunk.tags)};
}

}  // namespace kiseki::chunk
