// A device on a simulated machine, for tests.
#pragma once

#include <gtest/gtest.h>

#include "chunk/chunk_store.h"
#include "chunk/detail/index.h"
#include "crypto/checksum.h"
#include "sim/crashable_kv.h"
#include "sim/simulated_clock.h"
#include "sim/simulated_disk.h"

namespace kiseki::chunk {

using sim::CrashableKv;
using sim::SimulatedClock;
using sim::SimulatedDisk;
using sim::SimulatedLoop;

inline ChunkId id_of(std::uint64_t number) { return crypto::sha256(std::as_bytes(std::span(&number, 1))); }

/// Bytes and tags that stand for a sealed chunk; `variant` is another ciphertext under the same id.
inline std::shared_ptr<const SealedChunk> make_chunk(std::uint64_t number, Bytes length,
                                                     std::uint64_t variant = 0,
                                                     std::uint8_t block_units = 1) {
  auto chunk = std::make_shared<SealedChunk>();
  chunk->id = id_of(number);
  chunk->format = {.codec = 1, .block_units = block_units};
  chunk->ciphertext = Buffer(length);
  SeededRng rng(number * 1000 + variant);
  rng.fill(chunk->ciphertext.span());
  chunk->tags.resize(block_count(chunk->format, length));
  for (auto& tag : chunk->tags) rng.fill(tag);
  return chunk;
}

/// Wrapping that only hides: the key service has tests of its own.
inline DeviceStore::SecretWrap test_wrap(char key = 'k') {
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
  static DeviceStore::Options small(Bytes areas = 15) {
    DeviceStore::Options options;
    options.directory = "/device";
    options.region = 256_KiB;
    options.capacity = 1_MiB + areas * options.region;
    options.grow = 512_KiB;
    options.write_budget = 1_MiB;
    options.header_cache = 4_KiB;
    return options;
  }

  explicit World(std::uint64_t seed, DeviceStore::Options options)
      : disk(clock, seed), rng(seed + 1), options_(std::move(options)) {}
  explicit World(std::uint64_t seed) : World(seed, small()) {}
  ~World() {
    if (device) stop();
  }

  DeviceStore::Services services() { return {disk, store, rng, pool, loop.executor(), clock}; }
  Task<Result<std::unique_ptr<DeviceStore>>> start() {
    return DeviceStore::open(options_, test_wrap(), services());
  }
  void set_options(DeviceStore::Options options) { options_ = std::move(options); }
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

  Result<DeviceStore::PutReply> put(std::shared_ptr<const SealedChunk> chunk, std::uint64_t epoch = 1) {
    return loop.get(device->put(std::move(chunk), GcEpoch(epoch)));
  }
  Result<Blocks> read(const SealedChunk& chunk) {
    return loop.get(device->read(reference_to(chunk), 0, chunk.tags.size()));
  }
  Result<bool> erase(const ChunkId& id, std::uint64_t below) {
    return loop.get(device->erase_if_older(id, GcEpoch(below)));
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
    if (device->usage().used != used || device->usage().chunks != live->size()) return "usage is no sum";
    return {};
  }
  void check_space() { EXPECT_EQ(space_violation(), ""); }

  SimulatedLoop loop;
  SimulatedClock clock{loop};
  SimulatedDisk disk;
  CrashableKv store{DeviceStore::index_families().size()};
  SeededRng rng;
  BlockingPool pool{0};
  std::unique_ptr<DeviceStore> device;

 private:
  DeviceStore::Options options_;
};

}  // namespace kiseki::chunk
