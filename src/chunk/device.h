#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/task.h"
#include "chunk/encoded_chunk.h"
#include "chunk/pool_map.h"

namespace kiseki::chunk {

/// What a device keeps of a chunk is called so: every index of a chunk is another fragment.
struct FragmentKey {
  ChunkName chunk;
  std::uint8_t index = 0;
  friend auto operator<=>(const FragmentKey&, const FragmentKey&) = default;
};

/// A fragment that a garbage round asks about.
struct AgedFragment {
  FragmentKey key;
  Bytes stored = 0;  ///< What its deletion frees.
};
struct AgedPage {
  std::vector<AgedFragment> fragments;
  std::optional<FragmentKey> next;  ///< Where to go on; nothing: that was all.
};
/// Last puts in [first, below).
struct EpochRange {
  GcEpoch first, below;
};

/// Which device this is, and which of its starts.
struct DeviceIdentity {
  DeviceId id{};
  ClusterId cluster{};
  /// Drawn one a start, oldest first: the last one is this, one of the others is what the map knows.
  std::vector<std::uint64_t> starts{};
};

struct DeviceStatus {
  Bytes capacity = 0, used = 0;
  std::uint64_t fragments = 0;
  std::string failure;  ///< Why it takes no more writes until a restart; empty: it does.
  DeviceIdentity identity{};
};

/// A fragment as it stands: what it says of its chunk.
struct StoredFragment {
  ChunkDescription chunk;
  GcEpoch last_put;
};

/// Keeps fragments (docs/formats/device.md, PROTOCOLS 6.4), on this machine or another. Blind: it holds no
/// key but its own MAC secret. Calls may be made on any core and come back there; what does not answer is
/// `unavailable`.
class Device {
 public:
  virtual ~Device() = default;

  /// Put or touch, one call. On return the fragment survives a power cut, stamped with the device's epoch.
  /// `no_space`, `io_error`, `stale` when its group has another version here.
  virtual Task<Result<PutReply>> put(Fragment fragment) = 0;
  /// Raises the last put of a fragment of the referenced chunk and answers with it. `not_found`; `corrupted`
  /// when another chunk stands under the key.
  virtual Task<Result<GcEpoch>> touch(FragmentKey key, ChunkReference reference, GroupVersion group) = 0;
  /// Blocks of the fragment, counted from its own first one. `not_found`; `corrupted` when a checksum fails
  /// or the stored root is not the reference's.
  virtual Task<Result<Blocks>> read(FragmentKey key, ChunkReference reference, BlockRange blocks) = 0;
  /// `not_found`; `corrupted` when the header fails its check.
  virtual Task<Result<StoredFragment>> describe(FragmentKey key) = 0;

  /// Groups of one pool of 2^bits. On return that is durable, and no write that was let in under an older
  /// epoch is under way; later ones of another epoch are `stale`. So is an older record than the device's.
  virtual Task<Result<>> acknowledge(std::uint8_t bits, std::vector<GroupRecord> groups) = 0;

  /// The device's garbage epoch only rises. On return it survives a power cut, and no write is under way that
  /// will be stamped with less.
  virtual Task<Result<>> raise_epoch(GcEpoch epoch) = 0;
  virtual Task<Result<GcEpoch>> epoch() = 0;

  /// In order of keys, from `from` on; a page looks at so many fragments that it holds the core for about a
  /// millisecond.
  virtual Task<Result<AgedPage>> aged(FragmentKey from, EpochRange last_puts) = 0;
  /// Fragments of these chunks that are here and older than `below`. Chunks in rising order.
  virtual Task<Result<std::vector<AgedFragment>>> aged_of(std::vector<ChunkName> chunks, GcEpoch below) = 0;
  /// Deletes those whose last put is older than `below`, durable on return; says which, as asked. The keys
  /// rise.
  virtual Task<Result<std::vector<bool>>> erase_aged(std::vector<FragmentKey> keys, GcEpoch below) = 0;

  virtual Task<Result<DeviceStatus>> status() = 0;
  /// This start stands in the map; those before need not be remembered any more.
  virtual Task<Result<>> confirm_start() = 0;
  /// Calls under way end, later ones are `cancelled`.
  virtual Task<> stop() = 0;
};

}  // namespace kiseki::chunk
