#include "chunk/device/superblock.h"

#include "base/assert.h"
#include "base/codec.h"
#include "crypto/checksum.h"

namespace kiseki::chunk::detail {

namespace {

constexpr std::string_view magic = "KSEKIDEV";
constexpr std::uint8_t version = 3;
constexpr std::size_t checksum_size = 4;
constexpr std::size_t wrapped_max = 1024;
constexpr Bytes second_slot = 64_KiB;

Bytes slot_of(std::uint64_t sequence) { return sequence % 2 == 0 ? 0 : second_slot; }

bool is_sound(const Superblock& superblock) {
  const Geometry& geometry = superblock.geometry;
  if (geometry.region == 0 || geometry.region % unit != 0 || geometry.region > 64_GiB) return false;
  if (geometry.areas == 0 || superblock.next_region.is_none()) return false;
  RegionNumber last;
  for (const OpenRegion& region : superblock.open) {
    if (region.number <= last || region.number >= superblock.next_region) return false;
    if (region.area >= geometry.areas) return false;
    last = region.number;
  }
  return true;
}

}  // namespace

Buffer encode(const Superblock& superblock) {
  KISEKI_ASSERT(superblock.open.size() <= Superblock::open_max &&
                superblock.wrapped_secret.size() <= wrapped_max &&
                superblock.starts.size() <= Superblock::starts_max);
  std::string out(magic);
  Encoder encoder(out);
  encoder.integer(version).raw(View(std::array<std::byte, 7>{}));
  encoder.integer(superblock.sequence).raw(superblock.uuid).raw(superblock.cluster);
  for (std::size_t i = 0; i < Superblock::starts_max; ++i) {
    encoder.integer(i < superblock.starts.size() ? superblock.starts[i] : std::uint64_t{0});
  }
  encoder.integer(superblock.geometry.region).integer(superblock.geometry.areas);
  encoder.integer(static_cast<std::uint32_t>(superblock.open.size()));
  encoder.id(superblock.next_region).id(superblock.epoch);
  for (const OpenRegion& region : superblock.open) encoder.id(region.number).integer(region.area);
  encoder.sized(as_view(superblock.wrapped_secret));
  out.resize(unit - checksum_size, '\0');
  encoder.integer(crypto::crc32c(as_view(out)));
  return Buffer::copy_of(as_view(out));
}

Result<Superblock> decode_superblock(View block) {
  KISEKI_ASSERT(block.size() == unit);
  Decoder in(block.first(unit - checksum_size));
  Decoder checksum(block.last(checksum_size));
  if (as_text(in.raw(magic.size())) != magic)
    return fail(Errc::wrong_format, "no superblock of a Kiseki device");
  if (checksum.integer<std::uint32_t>() != crypto::crc32c(block.first(unit - checksum_size))) {
    return fail(Errc::corrupted, "superblock: checksum");
  }
  if (const auto found = in.integer<std::uint8_t>(); found != version) {
    return fail(Errc::wrong_format,
                fmt::format("superblock: version {}, this build reads {}", found, version));
  }
  in.raw(7);
  Superblock superblock;
  superblock.sequence = in.integer<std::uint64_t>();
  std::ranges::copy(in.raw(superblock.uuid.size()), superblock.uuid.begin());
  std::ranges::copy(in.raw(superblock.cluster.size()), superblock.cluster.begin());
  for (std::size_t i = 0; i < Superblock::starts_max; ++i) {
    const auto start = in.integer<std::uint64_t>();
    if (start != 0 && superblock.starts.size() < i) in.reject();
    if (start != 0) superblock.starts.push_back(start);
  }
  superblock.geometry.region = in.integer<std::uint64_t>();
  superblock.geometry.areas = in.integer<std::uint32_t>();
  const auto count = in.integer<std::uint32_t>();
  if (count > Superblock::open_max) in.reject();
  superblock.next_region = in.id<RegionNumber>();
  superblock.epoch = in.id<GcEpoch>();
  for (std::uint32_t i = 0; i < count && !in.failed(); ++i) {
    const auto number = in.id<RegionNumber>();
    superblock.open.push_back({number, in.integer<Area>()});
  }
  superblock.wrapped_secret = as_text(in.sized());
  if (!is_sound(superblock) || superblock.wrapped_secret.size() > wrapped_max) in.reject();
  in.rest();
  KISEKI_TRY(in.finish("superblock"));
  return superblock;
}

Task<Result<>> write_superblock(disk::File& file, Superblock superblock) {
  const Buffer block = encode(superblock);
  co_return co_await file.write_and_sync(slot_of(superblock.sequence), block.view());
}

Task<Result<Superblock>> read_superblock(disk::File& file) {
  if (file.size() < Geometry::head) co_return fail(Errc::wrong_format, "no data file of a Kiseki device");
  Buffer block(unit);
  std::optional<Superblock> best;
  std::optional<Error> reason;
  for (const Bytes offset : {Bytes{0}, second_slot}) {
    KISEKI_CO_TRY(co_await file.read(offset, block.span()));
    auto decoded = decode_superblock(block.view());
    if (!decoded) {
      // A torn copy says more than one of a file that was never a device.
      if (!reason || decoded.error().code() == Errc::corrupted) reason = std::move(decoded).error();
    } else if (!best || best->sequence < decoded->sequence) {
      best = std::move(*decoded);
    }
  }
  if (!best) co_return fail(std::move(*reason));
  co_return std::move(*best);
}

}  // namespace kiseki::chunk::detail
