#pragma once

#include <map>
#include <optional>
#include <span>
#include <vector>

#include "chunk/device.h"
#include "chunk/device/fragment.h"
#include "chunk/device/superblock.h"
#include "crypto/hash.h"
#include "kv/kv_store.h"

namespace kiseki::chunk::detail {

/// Tags and checksums of chunks of so few blocks stand in the row, so that a small read needs no header.
inline constexpr std::size_t inline_blocks_max = 4;

/// What the index knows of a fragment.
struct Row {
  std::uint8_t index = 0;  ///< As in its key.
  Position position;
  ChunkFormat format;
  std::uint32_t length = 0;  ///< Of the chunk.
  GcEpoch last_put;
  crypto::Digest256 root{};
  std::optional<BlockChecks> checks;  ///< Of small chunks.

  Extent extent() const { return {position.offset, fragment_size(format, length, index)}; }
};
Row row_of(const FragmentHeader& header);

/// The rows of one fragment before and after; nothing: no row.
struct Change {
  FragmentKey key;
  std::optional<Row> before, after;
};

struct AreaUsage {
  Bytes live = 0;
  std::uint64_t fragments = 0;
};

/// Rows of the fragments of one device in a key-value store (docs/formats/device.md). What was written is
/// durable after `flush` of the store; a crash before keeps a prefix.
class Index {
 public:
  Index(kv::KvStore& store, Geometry geometry) : store_(store), geometry_(geometry) {}
  static std::vector<std::string> families();

  /// Reads the usage of the areas; `corrupted` when it speaks of areas beyond `present`.
  Result<> load(Area present);
  /// The data file has grown.
  void add_areas(Area present) { usage_.resize(present); }
  Result<std::optional<DeviceUuid>> owner();
  Result<> set_owner(const DeviceUuid& uuid);
  /// Groups that were acknowledged, of each pool by its number of bits.
  using Groups = std::map<std::pair<PoolId, std::uint8_t>, std::vector<GroupRecord>>;
  Result<Groups> groups();
  /// To be written, and flushed.
  static kv::Batch batch_of(std::uint8_t bits, std::span<const GroupRecord> groups);

  // Reads of the store alone, on any thread.

  /// To be checked by `check`.
  Result<std::optional<Row>> look_up(const FragmentKey& key, kv::Blocking blocking);
  /// One page of the fragments whose last put is in the range.
  Result<AgedPage> aged(const FragmentKey& from, EpochRange last_puts, kv::Blocking blocking);
  /// Those of the chunk whose last put is older.
  Result<std::vector<AgedFragment>> aged_of(const ChunkName& chunk, GcEpoch below, kv::Blocking blocking);

  struct Live {
    Extent extent;
    FragmentKey key;
  };
  /// The fragments that lie in the extent or reach into it, by offset.
  Result<std::vector<Live>> live_in(Extent extent, kv::Blocking blocking = kv::Blocking::allowed);

  // On the device's core.

  /// `corrupted` when the row speaks of a place that the file does not have.
  Result<> check(const std::optional<Row>& row) const;
  Result<std::optional<Row>> find(const FragmentKey& key);
  /// Changes that become visible together.
  struct Update {
    kv::Batch batch;
    std::map<Area, AreaUsage> usage;
  };
  Update prepare(std::span<const Change> changes) const;
  /// It has been written to the store; no other was prepared meanwhile.
  void complete(const Update& update);
  /// All of it at once. After an error nothing has changed.
  Result<> write(std::span<const Change> changes);

  /// By area, for all that the data file has.
  const std::vector<AreaUsage>& usage() const noexcept { return usage_; }
  AreaUsage total() const noexcept { return total_; }
  Bytes unflushed() const { return store_.unflushed(); }

 private:
  bool is_in_place(const Row& row) const;

  kv::KvStore& store_;
  Geometry geometry_;
  std::vector<AreaUsage> usage_;
  AreaUsage total_;
};

}  // namespace kiseki::chunk::detail
