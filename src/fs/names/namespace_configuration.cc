#include "base/codec.h"
#include "fs/configuration.h"

namespace kiseki::fs {

namespace {

constexpr std::uint8_t format = 1;

/// What a section is of. One of `optional_from` or above is kept by those who do not know it; one below has
/// to be known.
enum class Section : std::uint8_t { region = 1, tags = 2 };
constexpr std::uint8_t optional_from = 0x80;

void add(Encoder& out, Section section, const std::string& bytes) {
  if (!bytes.empty()) out.enumerator(section).sized(as_view(bytes));
}

std::string encode_tags(const Properties::Pairs& tags) {
  std::string bytes;
  Encoder out(bytes);
  for (const auto& [key, value] : tags) out.sized(as_view(key)).sized(as_view(value));
  return bytes;
}

Properties::Pairs decode_tags(Decoder& in, View bytes) {
  Properties::Pairs tags;
  Decoder section(bytes);
  while (section.remaining() > 0 && !section.failed()) {
    std::string key(as_text(section.sized()));
    tags.emplace_back(std::move(key), as_text(section.sized()));
  }
  if (section.failed()) in.reject();
  return tags;
}

}  // namespace

std::string Configuration::encode() const {
  std::string bytes;
  Encoder out(bytes);
  out.integer(format);
  add(out, Section::region, region);
  add(out, Section::tags, encode_tags(tags));
  out.raw(as_view(later));
  return bytes;
}

Result<Configuration> Configuration::decode(View bytes) {
  if (bytes.size() > size_max) return fail(Errc::too_large, "the configuration of a namespace");
  Decoder in(bytes);
  const auto found = in.integer<std::uint8_t>();
  if (!in.failed() && found != format) return fail(Errc::wrong_format, "a configuration of another format");
  Configuration configuration;
  Encoder kept(configuration.later);
  std::uint8_t last = 0;
  while (in.remaining() > 0 && !in.failed()) {
    const auto type = in.integer<std::uint8_t>();
    const View section = in.sized();
    if (type <= last || section.empty()) in.reject();
    last = type;
    if (type >= optional_from) {
      kept.integer(type).sized(section);
    } else if (type == static_cast<std::uint8_t>(Section::region)) {
      configuration.region = as_text(section);
    } else if (type == static_cast<std::uint8_t>(Section::tags)) {
      configuration.tags = decode_tags(in, section);
    } else if (!in.failed()) {
      return fail(Errc::wrong_format, "a configuration with a section of a later version");
    }
  }
  KISEKI_TRY(in.finish("configuration of a namespace"));
  return configuration;
}

}  // namespace kiseki::fs
