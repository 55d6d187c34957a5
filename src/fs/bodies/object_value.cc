#include "fs/bodies/object_value.h"

#include "base/assert.h"
#include "base/codec.h"

namespace kiseki::fs::detail {

namespace {

constexpr std::uint8_t value_format = 2;

using Pairs = Properties::Pairs;

void encode_text(std::string_view text, Encoder& out) {
  out.integer(static_cast<std::uint16_t>(text.size())).raw(as_view(text));
}

std::string decode_text(Decoder& in) { return std::string(as_text(in.raw(in.integer<std::uint16_t>()))); }

void encode_pairs(const Pairs& pairs, Encoder& out) {
  out.integer(static_cast<std::uint16_t>(pairs.size()));
  for (const auto& [name, value] : pairs) {
    encode_text(name, out);
    encode_text(value, out);
  }
}

Pairs decode_pairs(Decoder& in) {
  const std::size_t count = in.integer<std::uint16_t>();
  Pairs pairs;
  // A pair takes at least four bytes: a hostile count never reserves more than the input is long.
  pairs.reserve(std::min(count, in.remaining() / 4));
  for (std::size_t i = 0; i < count && !in.failed(); ++i) {
    std::string name = decode_text(in);
    pairs.emplace_back(std::move(name), decode_text(in));
  }
  return pairs;
}

void skip_pairs(Decoder& in) {
  for (std::size_t texts = 2 * in.integer<std::uint16_t>(); texts > 0 && !in.failed(); --texts) {
    in.raw(in.integer<std::uint16_t>());
  }
}

ChecksumType decode_type(Decoder& in) {
  const auto type = in.integer<std::uint8_t>();
  if (type != 1 && type != 2) in.reject();
  return static_cast<ChecksumType>(type);
}

std::size_t size_of(const Pairs& pairs) {
  std::size_t size = 2;
  for (const auto& [name, value] : pairs) size += 4 + name.size() + value.size();
  return size;
}

void encode_parts(const std::vector<PartRun>& parts, Encoder& out) {
  out.integer(static_cast<std::uint16_t>(parts.size()));
  for (const PartRun& run : parts) out.integer(run.count).integer(run.size);
}

std::vector<PartRun> decode_parts(Decoder& in) {
  const std::size_t count = in.integer<std::uint16_t>();
  std::vector<PartRun> parts;
  parts.reserve(std::min(count, in.remaining() / 12));
  for (std::size_t i = 0; i < count && !in.failed(); ++i) {
    const auto parts_in_run = in.integer<std::uint32_t>();
    parts.push_back({parts_in_run, in.integer<Bytes>()});
  }
  return parts;
}

}  // namespace

void encode(const Properties& properties, Encoder& out) {
  encode_text(properties.etag, out);
  encode_pairs(properties.headers, out);
  encode_pairs(properties.metadata, out);
  encode_pairs(properties.checksums, out);
  out.enumerator(properties.checksum_type);
  encode_pairs(properties.tags, out);
  encode_pairs(properties.grants, out);
}

Properties decode_properties(Decoder& in) {
  Properties properties;
  properties.etag = decode_text(in);
  properties.headers = decode_pairs(in);
  properties.metadata = decode_pairs(in);
  properties.checksums = decode_pairs(in);
  properties.checksum_type = decode_type(in);
  properties.tags = decode_pairs(in);
  properties.grants = decode_pairs(in);
  return properties;
}

Result<> check(const Properties& properties) {
  const std::size_t size = 2 + properties.etag.size() + size_of(properties.headers) +
                           size_of(properties.metadata) + size_of(properties.checksums) + 1 +
                           size_of(properties.tags) + size_of(properties.grants);
  if (size > properties_max) return fail(Errc::too_large, "headers and metadata of an object exceed 8 KiB");
  return {};
}

void encode_epochs(const std::vector<KeyEpoch>& epochs, Encoder& out) {
  std::vector<std::pair<std::uint16_t, KeyEpoch>> runs;
  for (const KeyEpoch epoch : epochs) {
    if (runs.empty() || runs.back().second != epoch) runs.emplace_back(0, epoch);
    ++runs.back().first;
  }
  out.integer(static_cast<std::uint16_t>(runs.size()));
  for (const auto& [count, epoch] : runs) out.integer(count).id(epoch);
}

std::vector<KeyEpoch> decode_epochs(Decoder& in, std::size_t references) {
  std::vector<KeyEpoch> epochs;
  epochs.reserve(references);
  const std::size_t runs = in.integer<std::uint16_t>();
  for (std::size_t i = 0; i < runs && !in.failed(); ++i) {
    const std::size_t count = in.integer<std::uint16_t>();
    const auto epoch = in.id<KeyEpoch>();
    if (count == 0 || epoch.is_none() || count > references - epochs.size())
      in.reject();
    else
      epochs.insert(epochs.end(), count, epoch);
  }
  if (epochs.size() != references) in.reject();
  return epochs;
}

std::string encode(const ObjectValue& value) {
  std::string bytes;
  Encoder out(bytes);
  out.integer(value_format).integer(value.modified_ms).id(value.upload);
  encode(value.properties, out);
  encode_epochs(value.key_epochs, out);
  encode_parts(value.parts, out);
  out.raw(as_view(value.bytes));
  return bytes;
}

Result<ObjectValue> decode_object(View bytes, std::size_t references) {
  Decoder in(bytes);
  if (in.integer<std::uint8_t>() != value_format) return fail(Errc::wrong_format, "an entry's value");
  ObjectValue value;
  value.modified_ms = in.integer<std::uint64_t>();
  value.upload = in.id<InodeId>();
  value.properties = decode_properties(in);
  value.key_epochs = decode_epochs(in, references);
  value.parts = decode_parts(in);
  value.bytes = as_text(in.rest());
  KISEKI_TRY(in.finish("an entry's value"));
  return value;
}

Result<Attributes> decode_listed(View bytes) {
  Decoder in(bytes);
  if (in.integer<std::uint8_t>() != value_format) return fail(Errc::wrong_format, "an entry's value");
  Attributes shown;
  shown.modified_ms = in.integer<std::uint64_t>();
  in.id<InodeId>();
  shown.properties.etag = decode_text(in);
  skip_pairs(in);
  skip_pairs(in);
  shown.properties.checksums = decode_pairs(in);
  shown.properties.checksum_type = decode_type(in);
  if (in.failed()) return fail(Errc::corrupted, "an entry's value");
  return shown;
}

std::vector<Piece> pieces_of(const std::vector<ChunkReference>& references,
                             const std::vector<KeyEpoch>& epochs) {
  KISEKI_ASSERT(references.size() == epochs.size());
  std::vector<Piece> pieces;
  pieces.reserve(references.size());
  for (std::size_t i = 0; i < references.size(); ++i) pieces.push_back(Piece{references[i], epochs[i]});
  return pieces;
}

std::vector<ChunkReference> references_of(const std::vector<Piece>& pieces) {
  std::vector<ChunkReference> references;
  references.reserve(pieces.size());
  for (const Piece& piece : pieces) references.push_back(piece.reference);
  return references;
}

std::vector<KeyEpoch> epochs_of(const std::vector<Piece>& pieces) {
  std::vector<KeyEpoch> epochs;
  epochs.reserve(pieces.size());
  for (const Piece& piece : pieces) epochs.push_back(piece.key_epoch);
  return epochs;
}

}  // namespace kiseki::fs::detail
