#include "chunk/device/index.h"

#include "base/assert.h"
#include "base/codec.h"
#include "chunk/pools/map_rows.h"

namespace kiseki::chunk::detail {

namespace {

enum : kv::Family { device_family, fragments_family, extents_family, areas_family, groups_family };

constexpr std::string_view owner_key = "uuid";
constexpr std::uint8_t row_version = 2;
// Rows that one look for aged fragments passes.
constexpr std::size_t aged_page_max = 1024;

template <std::unsigned_integral T>
std::string key_of(T value) {
  std::string key;
  Encoder(key).integer(value);
  return key;
}

std::string key_of(const FragmentKey& fragment) {
  std::string key;
  Encoder out(key);
  write(out, fragment.chunk).integer(fragment.index);
  return key;
}

FragmentKey read_key(Decoder& in) {
  FragmentKey key;
  key.chunk = read_chunk_name(in);
  key.index = in.integer<std::uint8_t>();
  return key;
}

std::string encode(const Row& row) {
  std::string out;
  Encoder encoder(out);
  encoder.integer(row_version).integer(row.position.offset).id(row.position.region).integer(row.length);
  write(encoder, row.format).id(row.last_put).raw(row.root);
  encoder.integer(static_cast<std::uint8_t>(row.checks ? row.checks->tags.size() : 0));
  if (row.checks) {
    encoder.raw(std::as_bytes(std::span(row.checks->tags)));
    for (const std::uint32_t checksum : row.checks->checksums) encoder.integer(checksum);
  }
  return out;
}

BlockChecks decode_checks(Decoder& in, std::size_t tags, std::size_t checksums) {
  BlockChecks checks;
  checks.tags.resize(tags);
  for (auto& tag : checks.tags) std::ranges::copy(in.raw(tag.size()), tag.begin());
  for (std::size_t i = 0; i < checksums; ++i) checks.checksums.push_back(in.integer<std::uint32_t>());
  return checks;
}

Result<Row> decode_row(std::uint8_t index, View bytes) {
  Decoder in(bytes);
  Row row;
  row.index = index;
  if (in.integer<std::uint8_t>() != row_version) in.reject();
  row.position.offset = in.integer<std::uint64_t>();
  row.position.region = in.id<RegionNumber>();
  row.length = in.integer<std::uint32_t>();
  row.format = read_chunk_format(in);
  row.last_put = in.id<GcEpoch>();
  std::ranges::copy(in.raw(row.root.size()), row.root.begin());
  const std::size_t inlined = in.integer<std::uint8_t>();
  const std::size_t blocks = row.format.is_known() ? block_count(row.format, row.length) : 0;
  if (!check_shape(row.format, row.length, blocks) || index >= fragment_count(row.format)) in.reject();
  if (inlined != (blocks <= inline_blocks_max ? blocks : 0)) in.reject();
  if (inlined > 0 && !in.failed()) {
    row.checks = decode_checks(in, inlined, checksum_count(row.format, row.length));
  }
  KISEKI_TRY(in.finish("index row"));
  return row;
}

std::string encode(const AreaUsage& usage) {
  std::string out;
  Encoder(out).integer(usage.live).integer(usage.fragments);
  return out;
}

Result<Index::Live> decode_extent(View key, View value) {
  Index::Live found;
  Decoder place(key);
  found.extent.offset = place.integer<std::uint64_t>();
  KISEKI_TRY(place.finish("index: extent"));
  Decoder in(value);
  found.key = read_key(in);
  found.extent.length = in.integer<std::uint64_t>();
  KISEKI_TRY(in.finish("index: extent"));
  return found;
}

void put_rows(kv::Batch& batch, const Change& change) {
  if (change.before) batch.erase(extents_family, key_of(change.before->position.offset));
  if (!change.after) {
    batch.erase(fragments_family, key_of(change.key));
    return;
  }
  std::string key = key_of(change.key);
  std::string extent = key;
  Encoder(extent).integer(change.after->extent().length);
  batch.put(fragments_family, std::move(key), encode(*change.after));
  batch.put(extents_family, key_of(change.after->position.offset), std::move(extent));
}

}  // namespace

Row row_of(const FragmentHeader& header) {
  Row row{.index = header.key.index,
          .position = header.position,
          .format = header.format,
          .length = header.length,
          .last_put = header.last_put,
          .root = root_of(header.format, header.length, header.checks.tags),
          .checks = std::nullopt};
  if (header.checks.tags.size() <= inline_blocks_max) row.checks = header.checks;
  return row;
}

std::vector<std::string> Index::families() { return {"device", "fragments", "extents", "areas", "groups"}; }

Result<> Index::load(Area present) {
  usage_.assign(present, {});
  total_ = {};
  const auto rows = store_.iterate(areas_family, {});
  for (rows->seek({}); rows->valid(); rows->next()) {
    Decoder key(rows->key());
    const auto area = key.integer<Area>();
    KISEKI_TRY(key.finish("index: area"));
    Decoder value(rows->value());
    AreaUsage usage;
    usage.live = value.integer<std::uint64_t>();
    usage.fragments = value.integer<std::uint64_t>();
    KISEKI_TRY(value.finish("index: area"));
    if (usage.fragments > 0 && area >= present) {
      return fail(Errc::corrupted, "the data file is shorter than its index says");
    }
    if (area >= present) continue;
    usage_[area] = usage;
    total_.live += usage.live;
    total_.fragments += usage.fragments;
  }
  return rows->status();
}

Result<std::optional<DeviceUuid>> Index::owner() {
  auto found = store_.get(device_family, as_view(owner_key));
  if (!found) return fail(std::move(found).error());
  if (!*found) return std::nullopt;
  Decoder in(as_view(**found));
  DeviceUuid uuid{};
  std::ranges::copy(in.raw(uuid.size()), uuid.begin());
  KISEKI_TRY(in.finish("index: device"));
  return uuid;
}

Result<> Index::set_owner(const DeviceUuid& uuid) {
  kv::Batch batch;
  batch.put(device_family, std::string(owner_key), std::string(as_text(uuid)));
  return store_.write(batch);
}

kv::Batch Index::batch_of(std::uint8_t bits, std::span<const GroupRecord> groups) {
  kv::Batch batch;
  for (const GroupRecord& group : groups) {
    std::string key;
    Encoder(key).id(group.pool).integer(bits).id(group.number);
    batch.put(groups_family, std::move(key), row_of(group).value);
  }
  return batch;
}

Result<Index::Groups> Index::groups() {
  Groups groups;
  const auto rows = store_.iterate(groups_family, {});
  for (rows->seek({}); rows->valid(); rows->next()) {
    Decoder in(rows->key());
    const auto pool = in.id<PoolId>();
    const auto bits = in.integer<std::uint8_t>();
    const auto number = in.id<GroupNumber>();
    KISEKI_TRY(in.finish("index: group"));
    MapRow row = row_of(GroupRecord{.pool = pool, .number = number});
    row.value = std::string(as_text(rows->value()));
    auto group = decode_group(row);
    if (!group) return fail(std::move(group).error());
    groups[{pool, bits}].push_back(std::move(*group));
  }
  KISEKI_TRY(rows->status());
  return groups;
}

Result<std::optional<Row>> Index::look_up(const FragmentKey& key, kv::Blocking blocking) {
  auto found = store_.get(fragments_family, as_view(key_of(key)), nullptr, blocking);
  if (!found) return fail(std::move(found).error());
  if (!*found) return std::nullopt;
  auto row = decode_row(key.index, as_view(**found));
  if (!row) return fail(std::move(row).error());
  return std::move(*row);
}

Result<> Index::check(const std::optional<Row>& row) const {
  if (row && !is_in_place(*row)) return fail(Errc::corrupted, "index row: no such place");
  return {};
}

Result<std::optional<Row>> Index::find(const FragmentKey& key) {
  auto row = look_up(key, kv::Blocking::allowed);
  if (row) KISEKI_TRY(check(*row));
  return row;
}

Result<AgedPage> Index::aged(const FragmentKey& from, EpochRange last_puts, kv::Blocking blocking) {
  AgedPage page;
  const auto rows = store_.iterate(fragments_family, {}, nullptr, blocking);
  std::size_t looked_at = 0;
  for (rows->seek(as_view(key_of(from))); rows->valid(); rows->next(), ++looked_at) {
    AgedFragment aged;
    Decoder key(rows->key());
    aged.key = read_key(key);
    KISEKI_TRY(key.finish("index: fragment key"));
    if (looked_at == aged_page_max) {
      page.next = aged.key;
      break;
    }
    const auto row = decode_row(aged.key.index, rows->value());
    if (!row) return fail(row.error());
    if (row->last_put < last_puts.first || row->last_put >= last_puts.below) continue;
    aged.stored = row->extent().length;
    page.fragments.push_back(aged);
  }
  KISEKI_TRY(rows->status());
  return page;
}

Result<std::vector<AgedFragment>> Index::aged_of(const ChunkName& chunk, GcEpoch below,
                                                 kv::Blocking blocking) {
  std::vector<AgedFragment> found;
  const auto rows = store_.iterate(fragments_family, {}, nullptr, blocking);
  for (rows->seek(as_view(key_of(FragmentKey{chunk, 0}))); rows->valid(); rows->next()) {
    Decoder in(rows->key());
    const FragmentKey key = read_key(in);
    KISEKI_TRY(in.finish("index: fragment key"));
    if (key.chunk != chunk) break;
    const auto row = decode_row(key.index, rows->value());
    if (!row) return fail(row.error());
    if (row->last_put < below) found.push_back({key, row->extent().length});
  }
  KISEKI_TRY(rows->status());
  return found;
}

bool Index::is_in_place(const Row& row) const {
  const Extent extent = row.extent();
  if (extent.offset < Geometry::head || extent.offset % unit != 0) return false;
  const Bytes area = (extent.offset - Geometry::head) / geometry_.region;
  return area < usage_.size() && extent.end() <= geometry_.extent_of(static_cast<Area>(area)).end();
}

Index::Update Index::prepare(std::span<const Change> changes) const {
  Update update;
  const auto usage = [&](const Row& row) -> AreaUsage& {
    const Area area = geometry_.area_of(row.position.offset);
    return update.usage.try_emplace(area, usage_.at(area)).first->second;
  };
  for (const Change& change : changes) {
    put_rows(update.batch, change);
    if (change.before) {
      AreaUsage& left = usage(*change.before);
      KISEKI_ASSERT(left.fragments > 0 && left.live >= change.before->extent().length);
      left.live -= change.before->extent().length;
      --left.fragments;
    }
    if (change.after) {
      AreaUsage& entered = usage(*change.after);
      entered.live += change.after->extent().length;
      ++entered.fragments;
    }
  }
  for (const auto& [area, value] : update.usage) update.batch.put(areas_family, key_of(area), encode(value));
  return update;
}

void Index::complete(const Update& update) {
  for (const auto& [area, value] : update.usage) {
    total_.live += value.live - usage_[area].live;
    total_.fragments += value.fragments - usage_[area].fragments;
    usage_[area] = value;
  }
}

Result<> Index::write(std::span<const Change> changes) {
  const Update update = prepare(changes);
  KISEKI_TRY(store_.write(update.batch));
  complete(update);
  return {};
}

Result<std::vector<Index::Live>> Index::live_in(Extent extent, kv::Blocking blocking) {
  std::vector<Live> live;
  const auto rows = store_.iterate(extents_family, {{}, key_of(extent.end())}, nullptr, blocking);
  const std::string from = key_of(extent.offset);
  // Fragments do not overlap, so at most the last one before the extent reaches into it.
  rows->seek_for_previous(as_view(from));
  KISEKI_TRY(rows->status());
  if (!rows->valid()) rows->seek(as_view(from));
  for (; rows->valid(); rows->next()) {
    const auto found = decode_extent(rows->key(), rows->value());
    if (!found) return fail(found.error());
    if (found->extent.end() > extent.offset) live.push_back(*found);
  }
  KISEKI_TRY(rows->status());
  return live;
}

}  // namespace kiseki::chunk::detail
