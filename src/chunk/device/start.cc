#include "chunk/device/start.h"

#include "base/logging.h"
#include "chunk/device/recovery.h"

namespace kiseki::chunk::detail {

namespace {

constexpr Bytes region_min = 64_KiB;
constexpr Area areas_min = 2;

std::string wrap_context(const DeviceUuid& uuid) { return "kiseki v1 device" + std::string(as_text(uuid)); }

}  // namespace

Task<Result<std::unique_ptr<Device>>> Start::run() {
  KISEKI_CO_TRY(co_await machinery_.disk.make_directory(options_.directory));
  const disk::OpenOptions direct{.caching = disk::Caching::direct};
  auto file = co_await machinery_.disk.open(data_path(), direct);
  if (!file && file.error().code() == Errc::not_found) {
    KISEKI_CO_TRY(co_await format());
    file = co_await machinery_.disk.open(data_path(), direct);
  }
  if (!file) co_return fail(std::move(file).error());
  auto superblock = co_await read_superblock(**file);
  if (!superblock) co_return fail(std::move(superblock).error());
  if (superblock->cluster != options_.cluster) {
    co_return fail(Errc::precondition_failed,
                   fmt::format("{} is a device of another cluster", options_.directory.string()));
  }
  widen(superblock->geometry);
  auto mac = unwrap(*superblock);
  if (!mac) co_return fail(std::move(mac).error());
  KISEKI_CO_TRY(co_await mark_start(**file, *superblock));
  Recovered found{std::move(*file), std::make_unique<Index>(machinery_.index, superblock->geometry),
                  std::move(*mac), std::move(*superblock)};
  KISEKI_CO_TRY(found.index->load(found.superblock.geometry.areas_in(found.file->size())));
  KISEKI_CO_TRY(co_await recover(found));
  auto device = std::make_unique<DirectoryDevice>(std::move(found), options_, machinery_);
  KISEKI_CO_TRY(co_await device->finish_recovery());
  co_return std::move(device);
}

Task<Result<Geometry>> Start::geometry() {
  if (options_.region < region_min || options_.region % unit != 0) {
    co_return fail(Errc::invalid_argument, "the region size is a multiple of 4 KiB, at least 64 KiB");
  }
  Bytes capacity = options_.capacity;
  if (capacity == 0) {
    auto space = co_await machinery_.disk.space(options_.directory);
    if (!space) co_return fail(std::move(space).error());
    capacity = space->total / 5 * 4;
  }
  const Bytes areas = capacity < Geometry::head ? 0 : (capacity - Geometry::head) / options_.region;
  if (areas < areas_min || areas > UINT32_MAX) {
    co_return fail(Errc::invalid_argument, fmt::format("a device of {} bytes", capacity));
  }
  co_return Geometry{options_.region, static_cast<Area>(areas)};
}

void Start::widen(Geometry& geometry) const {
  if (options_.capacity < Geometry::head) return;
  const Bytes areas = (options_.capacity - Geometry::head) / geometry.region;
  if (areas > geometry.areas && areas <= UINT32_MAX) geometry.areas = static_cast<Area>(areas);
}

Task<Result<>> Start::format() {
  Index index(machinery_.index, Geometry{});
  const auto owner = index.owner();
  if (!owner) co_return fail(owner.error());
  if (*owner) co_return fail(Errc::corrupted, "the index belongs to a device whose data file is missing");
  auto temporary = data_path();
  temporary += ".new";
  KISEKI_CO_TRY(co_await write_format(temporary));
  KISEKI_CO_TRY(co_await machinery_.disk.rename(temporary, data_path()));
  co_return co_await machinery_.disk.sync_directory(options_.directory);
}

Task<Result<>> Start::write_format(std::filesystem::path path) {
  auto found = co_await geometry();
  if (!found) co_return fail(std::move(found).error());
  Superblock superblock;
  superblock.geometry = *found;
  // A put without an epoch would be in no garbage round.
  superblock.epoch = GcEpoch(1);
  superblock.cluster = options_.cluster;
  machinery_.rng.fill(superblock.uuid);
  const auto secret = crypto::Key256::random(machinery_.rng);
  superblock.wrapped_secret = wrap_.seal(as_view(wrap_context(superblock.uuid)), secret.view());
  auto file = co_await machinery_.disk.open(path, {disk::Caching::direct, disk::Existence::create});
  if (!file) co_return fail(std::move(file).error());
  KISEKI_CO_TRY(co_await (*file)->resize(0));
  KISEKI_CO_TRY(co_await (*file)->allocate(0, Geometry::head));
  for (superblock.sequence = 1; superblock.sequence <= 2; ++superblock.sequence) {
    KISEKI_CO_TRY(co_await write_superblock(**file, superblock));
  }
  co_return Result<>{};
}

Task<Result<>> Start::mark_start(disk::File& file, Superblock& superblock) {
  // Nobody has confirmed one for long: the map knows none, or one of those that are kept.
  if (superblock.starts.size() == Superblock::starts_max) co_return Result<>{};
  std::uint64_t start = 0;
  while (start == 0) start = machinery_.rng.next();
  superblock.starts.push_back(start);
  ++superblock.sequence;
  co_return co_await write_superblock(file, superblock);
}

Result<crypto::Key256> Start::unwrap(const Superblock& superblock) const {
  auto secret = wrap_.open(as_view(wrap_context(superblock.uuid)), as_view(superblock.wrapped_secret));
  if (!secret) return fail(std::move(secret).error().in("device secret"));
  auto mac = crypto::hkdf_sha256(as_view(*secret), superblock.uuid, as_view("kiseki v1 fragment mac"));
  crypto::wipe(std::as_writable_bytes(std::span(*secret)));
  return mac;
}

Task<Result<>> Start::recover(Recovered& device) {
  const Superblock& superblock = device.superblock;
  const auto owner = device.index->owner();
  if (!owner) co_return fail(owner.error());
  if (*owner && **owner != superblock.uuid)
    co_return fail(Errc::corrupted, "the index belongs to another device");
  // What is read below must not vanish in a power cut after the index relies on it.
  KISEKI_CO_TRY(co_await device.file->sync());
  Recovery recovery(*device.file, *device.index, device.mac, superblock.geometry);
  if (*owner) co_return co_await recovery.replay(superblock.open);
  const bool used = superblock.next_region > RegionNumber(1);
  const Area areas = superblock.geometry.areas_in(device.file->size());
  if (used) KISEKI_CO_TRY(co_await recovery.rebuild(areas, superblock.epoch));
  co_return device.index->set_owner(superblock.uuid);
}

}  // namespace kiseki::chunk::detail
