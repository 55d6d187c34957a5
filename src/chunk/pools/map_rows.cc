#include "chunk/pools/map_rows.h"

#include <algorithm>

#include "base/codec.h"

namespace kiseki::chunk::detail {

namespace {

constexpr std::uint8_t format = 1;
constexpr std::size_t name_max = 63;
constexpr std::size_t reason_max = 255;
constexpr unsigned width_max = 32;
constexpr std::size_t previous_max = 1024;

DeviceId read_device_id(Decoder& in) {
  DeviceId id{};
  std::ranges::copy(in.raw(id.size()), id.begin());
  if (id == DeviceId{}) in.reject();
  return id;
}

/// Rejects what is no enumerator; those of each type are 1 to `last`.
template <class E>
E read_enumerator(Decoder& in, E last) {
  const auto value = in.integer<std::uint8_t>();
  if (value == 0 || value > static_cast<std::uint8_t>(last)) in.reject();
  return static_cast<E>(value);
}

template <class I>
I read_id(Decoder& in) {
  const I id = in.id<I>();
  if (id.is_none()) in.reject();
  return id;
}

std::string read_text(Decoder& in, std::size_t length_max) {
  const View text = in.sized();
  if (text.size() > length_max) in.reject();
  return std::string(as_text(text));
}

Result<> check_format(Decoder& in, std::string_view what) {
  if (in.integer<std::uint8_t>() != format) return fail(Errc::wrong_format, std::string(what));
  return {};
}

/// Both parts of a row were read to their ends.
Result<> finish(const Decoder& item, const Decoder& value, std::string_view what) {
  KISEKI_TRY(item.finish(what));
  return value.finish(what);
}

bool are_distinct(DeviceList devices) {
  std::ranges::sort(devices);
  return std::ranges::adjacent_find(devices) == devices.end();
}

}  // namespace

bool is_known(Profile profile) noexcept {
  return profile.data >= 1 && profile.data <= Profile::data_max && profile.parity <= Profile::parity_max;
}

MapRow row_of(const NodeRecord& node, Stamp version) {
  MapRow row{.kind = MapKind::node, .item = {}, .value = {}, .version = version};
  Encoder(row.item).id(node.id);
  Encoder(row.value).integer(format).sized(as_view(node.rack));
  return row;
}

Result<NodeRecord> decode_node(const MapRow& row) {
  Decoder item(as_view(row.item));
  Decoder in(as_view(row.value));
  KISEKI_TRY(check_format(in, "row of a node"));
  NodeRecord node;
  node.id = read_id<NodeId>(item);
  node.rack = read_text(in, name_max);
  KISEKI_TRY(finish(item, in, "row of a node"));
  return node;
}

MapRow row_of(const DeviceRecord& device, Stamp version) {
  MapRow row{.kind = MapKind::device, .item = {}, .value = {}, .version = version};
  Encoder(row.item).raw(device.id);
  Encoder(row.value)
      .integer(format)
      .id(device.node)
      .id(device.pool)
      .enumerator(device.type)
      .enumerator(device.state)
      .integer(device.changed_ms)
      .integer(device.start)
      .integer(device.capacity)
      .integer(device.weight)
      .sized(as_view(device.reason).first(std::min(device.reason.size(), reason_max)));
  return row;
}

Result<DeviceRecord> decode_device(const MapRow& row) {
  Decoder item(as_view(row.item));
  Decoder in(as_view(row.value));
  KISEKI_TRY(check_format(in, "row of a device"));
  DeviceRecord device;
  device.id = read_device_id(item);
  device.node = read_id<NodeId>(in);
  device.pool = read_id<PoolId>(in);
  device.type = read_enumerator(in, DeviceClass::hdd);
  device.state = read_enumerator(in, DeviceState::gone);
  device.changed_ms = in.integer<std::uint64_t>();
  device.start = in.integer<std::uint64_t>();
  device.capacity = in.integer<std::uint64_t>();
  device.weight = in.integer<std::uint64_t>();
  device.reason = read_text(in, reason_max);
  KISEKI_TRY(finish(item, in, "row of a device"));
  return device;
}

MapRow row_of(const PoolRecord& pool, Stamp version) {
  MapRow row{.kind = MapKind::pool, .item = {}, .value = {}, .version = version};
  Encoder(row.item).id(pool.id);
  Encoder(row.value)
      .integer(format)
      .integer(pool.profile.data)
      .integer(pool.profile.parity)
      .enumerator(pool.level)
      .integer(pool.group_bits)
      .sized(as_view(pool.name));
  return row;
}

Result<PoolRecord> decode_pool(const MapRow& row) {
  Decoder item(as_view(row.item));
  Decoder in(as_view(row.value));
  KISEKI_TRY(check_format(in, "row of a pool"));
  PoolRecord pool;
  pool.id = read_id<PoolId>(item);
  pool.profile.data = in.integer<std::uint8_t>();
  pool.profile.parity = in.integer<std::uint8_t>();
  pool.level = read_enumerator(in, DomainLevel::rack);
  pool.group_bits = in.integer<std::uint8_t>();
  pool.name = read_text(in, name_max);
  const bool sized =
      pool.group_bits >= PoolRecord::group_bits_min && pool.group_bits <= PoolRecord::group_bits_max;
  if (!is_known(pool.profile) || !sized || pool.name.empty()) in.reject();
  KISEKI_TRY(finish(item, in, "row of a pool"));
  return pool;
}

MapRow row_of(const GroupRecord& group, Stamp version) {
  MapRow row{.kind = MapKind::group, .item = {}, .value = {}, .version = version};
  Encoder(row.item).id(group.pool).id(group.number);
  Encoder out(row.value);
  out.integer(format).id(group.epoch).integer(static_cast<std::uint8_t>(group.current.size()));
  for (const DeviceId& device : group.current) out.raw(device);
  out.integer(static_cast<std::uint16_t>(group.previous.size()));
  for (const PlacedIndex& place : group.previous) out.integer(place.index).raw(place.device);
  return row;
}

Result<GroupRecord> decode_group(const MapRow& row) {
  Decoder item(as_view(row.item));
  Decoder in(as_view(row.value));
  KISEKI_TRY(check_format(in, "row of a group"));
  GroupRecord group;
  group.pool = read_id<PoolId>(item);
  group.number = item.id<GroupNumber>();
  group.epoch = read_id<GroupEpoch>(in);
  const unsigned width = in.integer<std::uint8_t>();
  if (width == 0 || width > width_max) in.reject();
  for (unsigned i = 0; i < width && !in.failed(); ++i) group.current.push_back(read_device_id(in));
  const unsigned previous = in.integer<std::uint16_t>();
  if (previous > previous_max) in.reject();
  for (unsigned i = 0; i < previous && !in.failed(); ++i) {
    const auto index = in.integer<std::uint8_t>();
    const PlacedIndex place{index, read_device_id(in)};
    const bool rises = group.previous.empty() || group.previous.back() < place;
    if (index >= width || !rises) in.reject();
    group.previous.push_back(place);
  }
  if (!in.failed() && !are_distinct(group.current)) in.reject();
  KISEKI_TRY(finish(item, in, "row of a group"));
  return group;
}

}  // namespace kiseki::chunk::detail
