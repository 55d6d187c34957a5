#include "chunk/pools/map_snapshot.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "chunk/placement/moves.h"
#include "chunk/placement/placing.h"

namespace kiseki::chunk::detail {
namespace {

DeviceId device(int number) { return {std::byte{1}, static_cast<std::byte>(number)}; }

DeviceRecord device_record(int number) {
  return {.id = device(number), .node = NodeId(1), .pool = PoolId(1), .capacity = 10_GiB, .weight = 8_GiB};
}

/// Two copies on three devices.
std::vector<MapRow> sound_rows() {
  const PoolRecord pool{.id = PoolId(1), .name = "fast", .profile = {1, 1}};
  std::vector<MapRow> rows{row_of(NodeRecord{NodeId(1), "r1"}, Stamp(1)), row_of(pool, Stamp(2))};
  std::vector<DeviceRecord> devices;
  for (int i = 0; i < 3; ++i) devices.push_back(device_record(i));
  for (const DeviceRecord& one : devices) rows.push_back(row_of(one, Stamp(3)));
  const auto lists = place(pool, {}, sites_of(pool, devices, {})).value();
  for (std::uint32_t i = 0; i < lists.size(); ++i) {
    rows.push_back(
        row_of(GroupRecord{.pool = pool.id, .number = GroupNumber(i), .current = lists[i]}, Stamp(4)));
  }
  return rows;
}

TEST(MapRows, come_back_as_they_were_written) {
  const NodeRecord node{NodeId(7), "rack-3"};
  EXPECT_EQ(decode_node(row_of(node)).value(), node);
  DeviceRecord one = device_record(5);
  one.type = DeviceClass::hdd;
  one.state = DeviceState::draining;
  one.reason = "asked to";
  one.changed_ms = 1'700'000'000'000;
  one.start = 17;
  EXPECT_EQ(decode_device(row_of(one)).value(), one);
  const PoolRecord pool{PoolId(3), "cold", {8, 3}, DomainLevel::rack, 11};
  EXPECT_EQ(decode_pool(row_of(pool)).value(), pool);
  GroupRecord group{.pool = PoolId(3), .number = GroupNumber(9), .current = {device(1), device(2)}};
  group = begin_move(group, {device(3), device(2)});
  EXPECT_EQ(decode_group(row_of(group)).value(), group);
}

TEST(MapRows, are_the_documented_bytes) {
  const MapRow row = row_of(GroupRecord{.pool = PoolId(1),
                                        .number = GroupNumber(2),
                                        .epoch = GroupEpoch(3),
                                        .current = {device(4)},
                                        .previous = {{0, device(5)}}});
  EXPECT_EQ(to_hex(as_view(row.item)), "0000000100000002");
  EXPECT_EQ(to_hex(as_view(row.value)),
            "01"
            "0000000000000003"
            "01"
            "01040000000000000000000000000000"
            "0001"
            "00"
            "01050000000000000000000000000000");
}

TEST(MapRows, of_another_version_or_with_impossible_values_are_refused) {
  auto newer = row_of(NodeRecord{NodeId(1), ""});
  newer.value[0] = 2;
  EXPECT_EQ(decode_node(newer).error().code(), Errc::wrong_format);
  const auto refused = [](const auto& result) { return !result && result.error().code() == Errc::corrupted; };
  EXPECT_TRUE(refused(decode_node(row_of(NodeRecord{}))));
  EXPECT_TRUE(refused(decode_device(row_of(DeviceRecord{}))));
  PoolRecord pool{PoolId(1), "p", {29, 3}};
  EXPECT_TRUE(refused(decode_pool(row_of(pool))));
  pool.profile = {4, 2};
  pool.group_bits = 7;
  EXPECT_TRUE(refused(decode_pool(row_of(pool))));
  GroupRecord group{.pool = PoolId(1), .current = {device(1), device(1)}};
  EXPECT_TRUE(refused(decode_group(row_of(group))));
  group.current = {device(1)};
  group.previous = {{1, device(2)}};
  EXPECT_TRUE(refused(decode_group(row_of(group))));
  group.previous = {{0, device(2)}, {0, device(2)}};
  EXPECT_TRUE(refused(decode_group(row_of(group))));
}

TEST(MapRows, cut_short_or_flipped_never_decode_to_something_that_encodes_otherwise) {
  SeededRng rng(1);
  const auto rows = sound_rows();
  for (int i = 0; i < 20'000; ++i) {
    MapRow row = rows[rng.below(8)];
    auto& part = rng.below(4) == 0 ? row.item : row.value;
    if (rng.below(3) == 0) {
      part.resize(rng.below(part.size() + 1));
    } else {
      char& byte = part[rng.below(part.size())];
      byte = static_cast<char>(byte ^ static_cast<char>(1U << rng.below(8)));
    }
    const auto same = [&](const auto& record) {
      if (!record) return true;
      const auto again = row_of(*record);
      return again.item == row.item && again.value == row.value;
    };
    EXPECT_TRUE(same(decode_node(row)) && same(decode_device(row)) && same(decode_pool(row)) &&
                same(decode_group(row)));
  }
}

TEST(MapSnapshot, knows_the_group_of_a_chunk_and_the_versions_of_its_rows) {
  const auto map = MapSnapshot::parse(sound_rows());
  ASSERT_TRUE(map) << map.error().to_string();
  EXPECT_EQ(map->devices().size(), 3U);
  EXPECT_EQ(map->pools().at(PoolId(1)).version, Stamp(2));
  EXPECT_EQ(map->groups(PoolId(1)).size(), 256U);
  EXPECT_EQ(map->groups(PoolId(1))[0].version, Stamp(4));
  const ChunkName chunk{{std::byte{0x31}, std::byte{0xff}}, NamespaceId(9), PoolId(1)};
  EXPECT_EQ(map->group_of(chunk)->number, GroupNumber(0x31));
  EXPECT_EQ(map->group_of({chunk.id, chunk.ns, PoolId(2)}), nullptr);
}

TEST(MapSnapshot, of_incomplete_or_contradicting_rows_is_refused) {
  const auto refused = [](std::vector<MapRow> rows) {
    const auto map = MapSnapshot::parse(rows);
    return !map && map.error().code() == Errc::corrupted;
  };
  auto rows = sound_rows();
  rows.pop_back();
  EXPECT_TRUE(refused(rows));  // a group is missing
  rows = sound_rows();
  rows.push_back(rows.back());
  EXPECT_TRUE(refused(rows));
  rows = sound_rows();
  rows.erase(rows.begin() + 1);
  EXPECT_TRUE(refused(rows));  // groups of no pool
  rows = sound_rows();
  rows.erase(rows.begin() + 2);
  EXPECT_TRUE(refused(rows));  // lists name a device that is not there
  rows = sound_rows();
  rows.push_back(rows[0]);
  EXPECT_TRUE(refused(rows));
}

}  // namespace
}  // namespace kiseki::chunk::detail
