#pragma once

#include <string>
#include <vector>

#include "base/codec.h"
#include "fs/bodies/piece.h"
#include "fs/properties.h"
#include "shard/record.h"

namespace kiseki::fs::detail {

/// Objects up to this size are embedded in their entry; up to the next, an inline row.
inline constexpr Bytes embedded_max = 512;
inline constexpr Bytes inline_max = 16_KiB;
/// References an entry holds itself; longer maps go to pages.
inline constexpr std::size_t entry_pieces_max = 8;
inline constexpr std::size_t page_pieces_max = 256;
inline constexpr std::size_t properties_max = 8_KiB;
inline constexpr std::size_t part_runs_max = 1024;

/// What the sealed value of an object's entry, of a part and of an upload says after the name
/// (docs/formats/entry.md).
struct ObjectValue {
  std::uint64_t modified_ms = 0;
  Properties properties;
  InodeId upload;                    ///< The multipart upload that made it; 0: none.
  std::vector<KeyEpoch> key_epochs;  ///< One for each reference of the record.
  std::vector<PartRun> parts;        ///< As in `Attributes`.
  std::string bytes;                 ///< Of an embedded body.
};

std::string encode(const ObjectValue& value);
/// `corrupted`, `wrong_format`; also when the number of epochs is not `references`.
Result<ObjectValue> decode_object(View bytes, std::size_t references);

/// What lists show of an object: time, ETag and checksums. The size is the record's; the rest is left empty,
/// and not looked at. `corrupted`, `wrong_format`.
Result<Attributes> decode_listed(View bytes);

/// Key epochs of references, as runs of equal ones.
void encode_epochs(const std::vector<KeyEpoch>& epochs, Encoder& out);
std::vector<KeyEpoch> decode_epochs(Decoder& in, std::size_t references);

/// What properties take when encoded. At most `properties_max`, or `too_large`.
Result<> check(const Properties& properties);
void encode(const Properties& properties, Encoder& out);
Properties decode_properties(Decoder& in);

/// The record's references beside their epochs, and back.
std::vector<Piece> pieces_of(const std::vector<ChunkReference>& references,
                             const std::vector<KeyEpoch>& epochs);
std::vector<ChunkReference> references_of(const std::vector<Piece>& pieces);
std::vector<KeyEpoch> epochs_of(const std::vector<Piece>& pieces);

}  // namespace kiseki::fs::detail
