#include <cstddef>
#include <cstdint>

#include "base/codec.h"
#include "crypto/checksum.h"
#include "raft/log/replay.h"

// Headers and records of the log from hostile bytes: as they are, and once more as bodies of records whose
// checksums hold, so that the parsers behind the checksums are reached.

namespace {

using namespace kiseki;
using namespace kiseki::raft::detail;

void parse_raw(View bytes) {
  (void)parse_segment_header(bytes);
  const auto header = parse_batch_header(bytes);
  if (header && *header) (void)is_intact(**header, bytes.subspan(BatchHeader::encoded_size));
  (void)parse_entry(bytes);
  (void)parse_hard_state(bytes);
  (void)parse_base(bytes);
}

/// Each record is a type, a group and a length, one byte each, and that much body.
void replay_with_checksums(View bytes) {
  constexpr std::uint64_t sequence = 1;
  std::string seed;
  Encoder(seed).integer(sequence);
  std::string records;
  std::uint32_t count = 0;
  for (Decoder in(bytes); in.remaining() > 3; ++count) {
    std::string head;
    Encoder(head).integer(in.integer<std::uint8_t>());
    Encoder(head).integer(std::uint32_t{in.integer<std::uint8_t>()});
    const View body = in.raw(std::min<std::size_t>(in.integer<std::uint8_t>(), in.remaining()));
    Encoder(head).integer(static_cast<std::uint32_t>(body.size()));
    const auto checksum = crypto::crc32c(body, crypto::crc32c(as_view(head), crypto::crc32c(as_view(seed))));
    Encoder(records).raw(as_view(head)).integer(checksum).raw(body);
  }
  BatchHeader header;
  header.sequence = sequence;
  header.length = static_cast<std::uint32_t>(records.size());
  header.records = count;
  Replay replay;
  if (replay.add(header, as_view(records), log_block)) (void)replay.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const View bytes = std::as_bytes(std::span(data, size));
  parse_raw(bytes);
  replay_with_checksums(bytes);
  return 0;
}
