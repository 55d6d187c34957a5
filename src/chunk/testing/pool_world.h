// A pool over devices in memory, for tests.
#pragma once

#include "chunk/placement/moves.h"
#include "chunk/placement/placing.h"
#include "chunk/pool_store.h"
#include "chunk/pools/map_snapshot.h"
#include "chunk/testing/device_world.h"
#include "chunk/testing/faulty_device.h"

namespace kiseki::chunk {

/// The map's rows in memory.
class MemoryMap final : public MapStore {
 public:
  Task<Result<std::vector<MapRow>>> read() override {
    ++reads;
    if (away) co_return fail(Errc::unavailable, "the map is away");
    std::vector<MapRow> out;
    for (const auto& [key, row] : rows_) out.push_back(row);
    co_return out;
  }
  Task<Result<>> commit(std::vector<MapRow> rows) override {
    for (const MapRow& row : rows) {
      const auto found = rows_.find({row.kind, row.item});
      const Stamp stands = found == rows_.end() ? Stamp() : found->second.version;
      if (stands != row.version) co_return fail(Errc::conflict, "a row has changed");
    }
    ++last_;
    for (MapRow& row : rows) {
      row.version = Stamp(last_);
      rows_[{row.kind, row.item}] = std::move(row);
    }
    co_return Result<>();
  }

  std::size_t reads = 0;
  bool away = false;

 private:
  std::map<std::pair<MapKind, std::string>, MapRow> rows_;
  std::uint64_t last_ = 0;
};

/// A pool of one profile over so many devices, each a domain of its own.
class PoolWorld {
 public:
  PoolWorld(Profile profile, std::size_t count) : pool{.id = PoolId(1), .name = "p", .profile = profile} {
    pool.group_bits = detail::group_bits_for(count, profile);
    std::vector<MapRow> rows{row_of(pool)};
    for (std::size_t i = 0; i < count; ++i) {
      records.push_back({.id = device_id(i), .node = NodeId(1), .pool = pool.id, .weight = 1_GiB});
      devices.push_back(std::make_unique<FaultyDevice>(loop.executor(), clock));
      reachable.emplace(records.back().id, devices.back().get());
      rows.push_back(row_of(records.back()));
    }
    const auto lists = detail::place(pool, {}, detail::sites_of(pool, records, {})).value();
    for (std::uint32_t i = 0; i < lists.size(); ++i) {
      rows.push_back(row_of(GroupRecord{.pool = pool.id, .number = GroupNumber(i), .current = lists[i]}));
    }
    EXPECT_TRUE(loop.get(map.commit(std::move(rows))));
    store = std::make_unique<PoolStore>(map, reachable, loop.executor(), clock);
    EXPECT_TRUE(loop.get(store->refresh()));
    acknowledge();
  }
  ~PoolWorld() {
    for (auto& device : devices) device->come_back();
    loop.get(store->stop());
  }

  /// Every device, as the map stands.
  void acknowledge() {
    const auto snapshot = detail::MapSnapshot::parse(loop.get(map.read()).value());
    std::vector<GroupRecord> groups;
    for (const auto& group : snapshot->groups(pool.id)) groups.push_back(group.record);
    for (auto& device : devices) EXPECT_TRUE(loop.get(device->memory().acknowledge(pool.group_bits, groups)));
  }
  static DeviceId device_id(std::size_t number) { return {std::byte{7}, static_cast<std::byte>(number)}; }

  GroupRecord group_of(const ChunkName& chunk) {
    const auto rows = loop.get(map.read()).value();
    return *detail::MapSnapshot::parse(rows)->group_of(chunk);
  }
  /// The device that has this index of a chunk.
  FaultyDevice& device_of(const SealedChunk& chunk, std::size_t index) {
    return device(group_of(chunk.name).current[index]);
  }
  FaultyDevice& device(const DeviceId& id) { return *devices[std::to_integer<std::size_t>(id[1])]; }
  void set_state(const DeviceId& id, DeviceState state) {
    auto rows = loop.get(map.read()).value();
    const auto found = detail::MapSnapshot::parse(rows)->devices().at(id);
    DeviceRecord record = found.record;
    record.state = state;
    EXPECT_TRUE(loop.get(map.commit({row_of(record, found.version)})));
    EXPECT_TRUE(loop.get(store->refresh()));
  }

  Result<PutReply> put(const SealedChunkPtr& chunk) { return loop.get(store->put(chunk)); }
  Result<Blocks> read(const SealedChunk& chunk, BlockRange blocks) {
    return loop.get(store->read(chunk.name.ns, reference_to(chunk), blocks));
  }
  /// Every byte and tag of these blocks is right.
  bool holds(const SealedChunk& chunk, BlockRange blocks) {
    const auto found = read(chunk, blocks);
    const Bytes size = block_size(chunk.format);
    const Bytes from = blocks.first * size;
    const Bytes to = std::min<Bytes>(chunk.ciphertext.size(), (blocks.first + blocks.count) * size);
    const auto tags = std::span(chunk.tags).subspan(blocks.first, blocks.count);
    return found && equal(found->ciphertext.view(), chunk.ciphertext.view().subspan(from, to - from)) &&
           std::ranges::equal(found->tags, tags);
  }
  bool holds(const SealedChunk& chunk) { return holds(chunk, {0, chunk.tags.size()}); }

  SimulatedLoop loop;
  SimulatedClock clock{loop};
  MemoryMap map;
  PoolRecord pool;
  std::vector<DeviceRecord> records;
  std::vector<std::unique_ptr<FaultyDevice>> devices;
  std::map<DeviceId, Device*> reachable;
  std::unique_ptr<PoolStore> store;

 private:
  template <class Record>
  static MapRow row_of(const Record& record, Stamp version = {}) {
    return detail::row_of(record, version);
  }
};

}  // namespace kiseki::chunk
