#include "shard/record.h"
#include "shard/rows/row_codec.h"

namespace kiseki::shard {

namespace {
constexpr std::uint8_t format = 1;
}

std::string Counters::encode() const {
  std::string bytes;
  Encoder(bytes)
      .integer(format)
      .integer(entries)
      .integer(subdirectories)
      .integer(entry_bytes)
      .integer(logical)
      .integer(change)
      .integer(modified_ms);
  return bytes;
}

Result<Counters> Counters::decode(View bytes) {
  auto begun = detail::begin_value(bytes, format, "counters");
  if (!begun) return fail(std::move(begun).error());
  Decoder& in = *begun;
  Counters counters;
  counters.entries = in.integer<std::uint64_t>();
  counters.subdirectories = in.integer<std::uint64_t>();
  counters.entry_bytes = in.integer<std::uint64_t>();
  counters.logical = in.integer<std::uint64_t>();
  counters.change = in.integer<std::uint64_t>();
  counters.modified_ms = in.integer<std::uint64_t>();
  KISEKI_TRY(in.finish("counters"));
  return counters;
}

}  // namespace kiseki::shard
