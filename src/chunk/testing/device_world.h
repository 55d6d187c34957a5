// A device on a simulated machine, for tests.
#pragma once

#include <gtest/gtest.h>

#include "chunk/device/index.h"
#include "chunk/local_device.h"
#include "crypto/checksum.h"
#include "sim/crashable_kv.h"
#include "sim/simulated_clock.h"
#include "sim/simulated_disk.h"

namespace kiseki::chunk {

using sim::CrashableKv;
using sim::SimulatedClock;
using sim::SimulatedDisk;
using sim::SimulatedLoop;

/// The same as of the tests of shards.
inline constexpr NamespaceId test_namespace{9};

inline ChunkName chunk_name(std::uint64_t number) {
  return {crypto::sha256(std::as_bytes(std::span(&number, 1))), test_namespace, PoolId{1}};
}
inline FragmentKey key_of(const SealedChunk& chunk) { return {chunk.name, 0}; }

/// Bytes and tags that stand for a sealed chunk; `variant` is another ciphertext under the same id.
inline SealedChunkPtr make_chunk_of(ChunkFormat format, std::uint64_t number, Bytes length,
                                    std::uint64_t variant = 0) {
  auto chunk = std::make_shared<SealedChunk>();
  chunk->name = chunk_name(number);
  chunk->format = format;
  chunk->ciphertext = Buffer(length);
  SeededRng rng(number * 1000 + variant);
  rng.fill(chunk->ciphertext.span());
  chunk->tags.resize(block_count(chunk->format, length));
  for (auto& tag : chunk->tags) rng.fill(tag);
  return chunk;
}
inline SealedChunkPtr make_chunk(std::uint64_t number, Bytes length, std::uint64_t variant = 0,
                                 std::uint8_t block_units = 1) {
  return make_chunk_of({.block_units = block_units}, number, length, variant);
}
/// As a pool of this profile has it.
inline SealedChunkPtr make_coded_chunk(std::uint64_t number, Profile profile, Bytes length) {
  return make_chunk_of(format_for(profile, length), number, length);
}

/// Wrapping that only hides: the key service has tests of its own.
inline SecretWrap test_wrap(char key = 'k') {
  const auto mix = [key](View bytes) {
    std::string out(as_text(bytes));
    for (char& c : out) c = static_cast<char>(c ^ key);
    return out;
  };
  return {.seal = [mix](View, View secret) { return mix(secret) + "!"; },
          .open = [mix](View, View sealed) -> Result<std::string> {
            if (sealed.empty() || sealed.back() != std::byte{'!'}) return fail(Errc::corrupted, "wrap");
            return mix(sealed.first(sealed.size() - 1));
          }};
}

class World {
 public:
  /// 15 areas of 256 KiB.
  static LocalDeviceOptions small(Bytes areas = 15) {
    LocalDeviceOptions options;
    options.directory = "/device";
    options.region = 256_KiB;
    options.capacity = 1_MiB + areas * options.region;
    options.grow = 512_KiB;
    options.write_budget = 1_MiB;
    options.header_cache = 4_KiB;
    return options;
  }

  explicit World(std::uint64_t seed, LocalDeviceOptions options)
      : disk(clock, seed), rng(seed + 1), options_(std::move(options)) {}
  explicit World(std::uint64_t seed) : World(seed, small()) {}
  ~World() {
    if (device) stop();
  }

  Machinery machinery() { return {disk, store, rng, pool, loop.executor(), clock}; }
  Task<Result<std::unique_ptr<Device>>> start() {
    return open_local_device(options_, test_wrap(), machinery());
  }
  void set_options(LocalDeviceOptions options) { options_ = std::move(options); }
  void open() {
    auto opened = loop.get(start());
    ASSERT_TRUE(opened) << opened.error().to_string();
    device = std::move(*opened);
  }
  void stop() {
    loop.get(device->stop());
    device.reset();
  }
  /// After the disk has died: what was under way ends with errors, the index forgets. Nothing is open
  /// afterwards.
  void end(std::uint64_t seed) {
    store.set_full(true);  // the dead do not flush
    loop.run();
    if (device) stop();
    store.set_full(false);
    store.crash(seed);
  }
  void crash(std::uint64_t seed) {
    disk.crash();
    end(seed);
  }

  Result<PutReply> put(SealedChunkPtr chunk) { return loop.get(device->put(copy_of(std::move(chunk), 0))); }
  /// At this epoch, if the device is not further.
  Result<PutReply> put(SealedChunkPtr chunk, std::uint64_t epoch) {
    if (auto raised = raise(epoch); !raised) return fail(raised.error());
    return put(std::move(chunk));
  }
  Result<> raise(std::uint64_t epoch) { return loop.get(device->raise_epoch(GcEpoch(epoch))); }
  Result<Blocks> read(const SealedChunk& chunk) { return read(chunk, {0, chunk.tags.size()}); }
  Result<Blocks> read(const SealedChunk& chunk, BlockRange blocks) {
    return loop.get(device->read(key_of(chunk), reference_to(chunk), blocks));
  }
  Result<bool> erase(const SealedChunk& chunk, std::uint64_t below) {
    auto erased = erase(std::vector{key_of(chunk)}, below);
    if (!erased) return fail(std::move(erased).error());
    return erased->front();
  }
  Result<std::vector<bool>> erase(std::vector<FragmentKey> keys, std::uint64_t below) {
    return loop.get(device->erase_aged(std::move(keys), GcEpoch(below)));
  }
  DeviceStatus status() { return loop.get(device->status()).value(); }
  /// As if the index had been lost while the device was stopped.
  void lose_index() {
    kv::Batch everything;
    for (kv::Family family = 0; family < device_index_families().size(); ++family)
      everything.erase_range(family, {});
    ASSERT_TRUE(store.write(everything));
  }
  bool holds(const SealedChunk& chunk) {
    const auto blocks = read(chunk);
    return blocks && equal(blocks->ciphertext.view(), chunk.ciphertext.view()) && blocks->tags == chunk.tags;
  }
  /// No two fragments overlap, and usage is their sum. What is wrong, or nothing.
  std::string space_violation() {
    const detail::Geometry geometry{options_.region, UINT32_MAX};
    detail::Index index(store, geometry);
    const auto live = index.live_in({0, 1024_GiB});
    if (!live) return live.error().to_string();
    Bytes end = 0;
    Bytes used = 0;
    for (const auto& fragment : *live) {
      if (fragment.extent.offset < end) return "two fragments overlap";
      end = fragment.extent.end();
      used += fragment.extent.length;
    }
    if (status().used != used || status().fragments != live->size()) return "usage is no sum";
    return {};
  }
  void check_space() { EXPECT_EQ(space_violation(), ""); }

  SimulatedLoop loop;
  SimulatedClock clock{loop};
  SimulatedDisk disk;
  CrashableKv store{device_index_families().size()};
  SeededRng rng;
  BlockingPool pool{0};
  std::unique_ptr<Device> device;

 private:
  LocalDeviceOptions options_;
};

}  // namespace kiseki::chunk
