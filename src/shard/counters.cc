#include <fmt/format.h>

#include "base/codec.h"
#include "shard/record.h"

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
  Decoder in(bytes);
  const auto found = in.integer<std::uint8_t>();
  if (!in.failed() && found != format) {
    return fail(Errc::wrong_format, fmt::format("counters: format {}", found));
  }
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
