#include "chunk/device/fragment.h"

#include "base/assert.h"
#include "base/codec.h"
#include "crypto/checksum.h"

namespace kiseki::chunk::detail {

namespace {

constexpr std::string_view fragment_magic = "KSEKIFRG";
constexpr std::string_view journal_magic = "KSEKIJNL";
constexpr std::uint8_t version = 2;
constexpr std::uint8_t journal_version = 1;
constexpr std::uint8_t checksum_crc32c = 1;
constexpr std::size_t fixed_size = 96;
constexpr std::size_t mac_size = 32;

Bytes raw_header_size(ChunkFormat format, Bytes length) {
  return fixed_size + block_count(format, length) * crypto::tag_size +
         checksum_count(format, length) * sizeof(std::uint32_t) + mac_size;
}

/// Appends the MAC over everything so far.
void seal(std::string& out, const crypto::Key256& mac) {
  const auto code = crypto::hmac_sha256(mac.view(), {as_view(out)});
  Encoder(out).raw(code);
}

bool is_sealed(View body, View code, const crypto::Key256& mac) {
  return equal_constant_time(crypto::hmac_sha256(mac.view(), {body}), code);
}

/// The fields before the tags; nothing when they cannot be a header.
std::optional<FragmentHeader> decode_fixed(View block) {
  Decoder in(block);
  FragmentHeader header;
  if (as_text(in.raw(fragment_magic.size())) != fragment_magic) return std::nullopt;
  if (in.integer<std::uint8_t>() != version) return std::nullopt;
  header.format = read_chunk_format(in);
  header.key.index = in.integer<std::uint8_t>();
  const auto checksum = in.integer<std::uint8_t>();
  if (in.integer<std::uint8_t>() != 0) return std::nullopt;
  header.length = in.integer<std::uint32_t>();
  const auto blocks = in.integer<std::uint32_t>();
  header.position.offset = in.integer<std::uint64_t>();
  header.position.region = in.id<RegionNumber>();
  header.last_put = in.id<GcEpoch>();
  header.key.chunk = read_chunk_name(in);
  if (in.integer<std::uint32_t>() != 0) return std::nullopt;
  if (in.failed() || checksum != checksum_crc32c) return std::nullopt;
  if (!check_shape(header.format, header.length, blocks)) return std::nullopt;
  if (header.key.index >= fragment_count(header.format)) return std::nullopt;
  return header;
}

}  // namespace

Result<> check_shape(ChunkFormat format, Bytes length, std::size_t tags) {
  if (!format.is_known()) return fail(Errc::invalid_argument, "unknown chunk format");
  if (length == 0) return fail(Errc::invalid_argument, "empty chunk");
  if (length > chunk_length_max) return fail(Errc::too_large, fmt::format("chunk of {} bytes", length));
  if (tags != block_count(format, length))
    return fail(Errc::invalid_argument, "tags do not match the blocks");
  return {};
}

Result<> check_shape(const Fragment& fragment) {
  const ChunkDescription& chunk = *fragment.chunk;
  KISEKI_TRY(check_shape(chunk.format, chunk.length, chunk.tags.size()));
  if (fragment.index >= fragment_count(chunk.format)) {
    return fail(Errc::invalid_argument, "no fragment of this index");
  }
  const bool fits = chunk.checksums.size() == checksum_count(chunk.format, chunk.length) &&
                    fragment.bytes.size() == fragment_length(chunk.format, chunk.length, fragment.index);
  return fits ? Result<>() : fail(Errc::invalid_argument, "checksums or bytes do not match the fragment");
}

Bytes header_size(ChunkFormat format, Bytes length) {
  return round_up(raw_header_size(format, length), unit);
}

Bytes fragment_size(ChunkFormat format, Bytes length, std::uint8_t index) {
  return header_size(format, length) + round_up(fragment_length(format, length, index), unit);
}

FragmentHeader describe(const Fragment& fragment, const Writing& writing) {
  const ChunkDescription& chunk = *fragment.chunk;
  return {.key = {chunk.name, fragment.index},
          .format = chunk.format,
          .length = chunk.length,
          .position = writing.position,
          .last_put = writing.last_put,
          .checks = {.tags = chunk.tags, .checksums = chunk.checksums}};
}

void encode(const FragmentHeader& header, const crypto::Key256& mac, MutableView out) {
  std::string bytes(fragment_magic);
  Encoder encoder(bytes);
  write(encoder.integer(version), header.format);
  encoder.integer(header.key.index).integer(checksum_crc32c).integer(std::uint8_t{0});
  encoder.integer(header.length);
  encoder.integer(static_cast<std::uint32_t>(header.checks.tags.size()));
  encoder.integer(header.position.offset).id(header.position.region).id(header.last_put);
  write(encoder, header.key.chunk).integer(std::uint32_t{0});
  encoder.raw(std::as_bytes(std::span(header.checks.tags)));
  for (const std::uint32_t checksum : header.checks.checksums) encoder.integer(checksum);
  seal(bytes, mac);
  KISEKI_ASSERT(round_up(bytes.size(), unit) == out.size());
  bytes.resize(out.size(), '\0');
  std::ranges::copy(as_view(bytes), out.begin());
}

std::optional<Bytes> header_size_at(View first_block) {
  const auto header = decode_fixed(first_block);
  if (!header) return std::nullopt;
  return header_size(header->format, header->length);
}

Result<FragmentHeader> decode_header(View bytes, Bytes offset, const crypto::Key256& mac) {
  auto header = decode_fixed(bytes);
  const auto refuse = [offset] {
    return fail(Errc::corrupted, fmt::format("fragment header at {}", offset));
  };
  if (!header || header->position.offset != offset) return refuse();
  const Bytes size = raw_header_size(header->format, header->length);
  if (bytes.size() < size) return refuse();
  if (!is_sealed(bytes.first(size - mac_size), bytes.subspan(size - mac_size, mac_size), mac))
    return refuse();
  Decoder in(bytes.subspan(fixed_size));
  header->checks.tags.resize(block_count(header->format, header->length));
  for (auto& tag : header->checks.tags) std::ranges::copy(in.raw(tag.size()), tag.begin());
  header->checks.checksums.resize(checksum_count(header->format, header->length));
  for (auto& checksum : header->checks.checksums) checksum = in.integer<std::uint32_t>();
  return std::move(*header);
}

Extent blocks_extent(ChunkFormat format, Bytes length, BlockRange range) {
  const Bytes from = range.first * block_size(format);
  const Bytes to = std::min<Bytes>(length, (range.first + range.count) * block_size(format));
  return {from, to - from};
}

bool matches(const BlockChecks& checks, ChunkFormat format, std::size_t first, View bytes) {
  for (std::size_t at = first; !bytes.empty(); ++at) {
    const View block = bytes.first(std::min<Bytes>(bytes.size(), block_size(format)));
    if (at >= checks.checksums.size() || crypto::crc32c(block) != checks.checksums[at]) return false;
    bytes = bytes.subspan(block.size());
  }
  return true;
}

Buffer encode(const JournalBlock& block, const crypto::Key256& mac) {
  KISEKI_ASSERT(!block.entries.empty() && block.entries.size() <= JournalBlock::entries_max);
  std::string out(journal_magic);
  Encoder encoder(out);
  encoder.integer(journal_version).integer(std::uint8_t{0});
  encoder.integer(static_cast<std::uint16_t>(block.entries.size())).integer(std::uint32_t{0});
  encoder.integer(block.position.offset).id(block.position.region);
  for (const JournalEntry& entry : block.entries) {
    write(encoder.enumerator(entry.kind), entry.key.chunk).integer(entry.key.index).id(entry.epoch);
  }
  seal(out, mac);
  KISEKI_ASSERT(out.size() <= unit);
  out.resize(unit, '\0');
  return Buffer::copy_of(as_view(out));
}

std::optional<JournalBlock> decode_journal_block(View bytes, Bytes offset, const crypto::Key256& mac) {
  Decoder in(bytes);
  if (as_text(in.raw(journal_magic.size())) != journal_magic) return std::nullopt;
  if (in.integer<std::uint8_t>() != journal_version || in.integer<std::uint8_t>() != 0) return std::nullopt;
  const auto count = in.integer<std::uint16_t>();
  in.integer<std::uint32_t>();
  JournalBlock block;
  block.position.offset = in.integer<std::uint64_t>();
  block.position.region = in.id<RegionNumber>();
  if (count == 0 || count > JournalBlock::entries_max || block.position.offset != offset) return std::nullopt;
  for (unsigned i = 0; i < count; ++i) {
    JournalEntry& entry = block.entries.emplace_back();
    const auto kind = in.integer<std::uint8_t>();
    if (kind != 1 && kind != 2) return std::nullopt;
    entry.kind = static_cast<JournalEntry::Kind>(kind);
    entry.key.chunk = read_chunk_name(in);
    entry.key.index = in.integer<std::uint8_t>();
    entry.epoch = in.id<GcEpoch>();
  }
  const std::size_t size = bytes.size() - in.remaining();
  const View code = in.raw(mac_size);
  if (in.failed() || !is_sealed(bytes.first(size), code, mac)) return std::nullopt;
  return block;
}

}  // namespace kiseki::chunk::detail
