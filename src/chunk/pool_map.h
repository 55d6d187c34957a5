#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/chunk_reference.h"
#include "base/units.h"

namespace kiseki::chunk {

// What the cluster map says of devices and pools (PROTOCOLS 8.1, docs/formats/pool-map.md): rows of the
// system shard, each change of which is one transaction.

/// Random, made with the first node.
using ClusterId = std::array<std::byte, 16>;
/// Random, given at format, never reused.
using DeviceId = std::array<std::byte, 16>;
/// Never reused; the first is 1.
using NodeId = Id<struct NodeTag, std::uint64_t>;
/// Placement group of a pool: the leading bits of the ids of its chunks.
using GroupNumber = Id<struct GroupNumberTag, std::uint32_t>;
/// Version of a group's lists; the first is 1.
using GroupEpoch = Id<struct GroupEpochTag, std::uint64_t>;

/// By which map a writer knows a group.
struct GroupVersion {
  std::uint8_t bits = 0;  ///< The pool has 2^bits groups.
  GroupEpoch epoch;       ///< None: by none, to a device that no map names.
  friend bool operator==(GroupVersion, GroupVersion) = default;
};

enum class DeviceClass : std::uint8_t { nvme = 1, ssd = 2, hdd = 3 };
enum class DeviceState : std::uint8_t {
  active = 1,
  suspect = 2,   ///< Slow or with errors: hedged at once, still written.
  failed = 3,    ///< Its groups move.
  draining = 4,  ///< Its groups move; it answers until they have.
  drained = 5,   ///< Holds nothing.
  gone = 6,      ///< Never comes back.
};
/// What two fragments of a chunk are not to have in common.
enum class DomainLevel : std::uint8_t { device = 1, node = 2, rack = 3 };

struct NodeRecord {
  NodeId id{};
  std::string rack{};
  friend bool operator==(const NodeRecord&, const NodeRecord&) = default;
};

struct DeviceRecord {
  DeviceId id{};
  NodeId node{};
  PoolId pool{};
  DeviceClass type = DeviceClass::ssd;
  DeviceState state = DeviceState::active;
  std::string reason{};          ///< Why it is in this state; empty: it always was.
  std::uint64_t changed_ms = 0;  ///< Unix milliseconds of the last change of state.
  /// Drawn by the device at its last start: a copy of it that knows another one is an older self. 0: it has
  /// not started yet.
  std::uint64_t start = 0;
  Bytes capacity = 0;
  Bytes weight = 0;  ///< Its share of a pool's bytes; the capacity unless somebody set it.
  friend bool operator==(const DeviceRecord&, const DeviceRecord&) = default;
};

struct PoolRecord {
  static constexpr std::uint8_t group_bits_min = 8, group_bits_max = 20;
  PoolId id{};
  std::string name{};
  Profile profile{};
  DomainLevel level = DomainLevel::device;
  std::uint8_t group_bits = group_bits_min;  ///< It has 2^n groups.
  friend bool operator==(const PoolRecord&, const PoolRecord&) = default;
};

/// The devices of a group by index.
using DeviceList = std::vector<DeviceId>;
struct PlacedIndex {
  std::uint8_t index = 0;
  DeviceId device{};
  friend auto operator<=>(const PlacedIndex&, const PlacedIndex&) = default;
};

struct GroupRecord {
  PoolId pool{};
  GroupNumber number{};
  GroupEpoch epoch{1};
  DeviceList current{};
  /// While the group moves: what every list since it last did not move named. Rising, each once.
  std::vector<PlacedIndex> previous{};

  bool is_moving() const noexcept { return !previous.empty(); }
  friend bool operator==(const GroupRecord&, const GroupRecord&) = default;
};

}  // namespace kiseki::chunk
