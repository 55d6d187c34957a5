#include <filesystem>
#include <gtest/gtest.h>

#include "base/planted.h"
#include "base/scope.h"
#include "chunk/testing/device_world.h"

namespace kiseki::chunk {
namespace {

using Chunks = std::vector<std::shared_ptr<const SealedChunk>>;

/// Starts all puts before the first one ends.
std::vector<Result<DeviceStore::PutReply>> put_together(World& world, const Chunks& chunks) {
  using Replies = std::vector<std::optional<Result<DeviceStore::PutReply>>>;
  Replies replies(chunks.size());
  Scope scope(world.loop.executor());
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    scope.spawn([](DeviceStore& device, std::shared_ptr<const SealedChunk> chunk, Replies& out,
                   std::size_t place) -> Task<> {
      out[place] = co_await device.put(std::move(chunk), GcEpoch(1));
    }(*world.device, chunks[i], replies, i));
  }
  world.loop.get(scope.stop());
  std::vector<Result<DeviceStore::PutReply>> all;
  for (auto& reply : replies) all.push_back(std::move(*reply));
  return all;
}

TEST(DeviceStore, gives_back_what_was_put_also_after_a_restart) {
  World world(1);
  world.open();
  Chunks chunks;
  for (const Bytes length : {Bytes{1}, Bytes{4095}, 4_KiB, 4_KiB + 1, 100_KiB, 200_KiB}) {
    chunks.push_back(make_chunk(chunks.size(), length));
    ASSERT_EQ(world.put(chunks.back())->put, Put::stored);
  }
  for (const auto& chunk : chunks) EXPECT_TRUE(world.holds(*chunk));
  world.stop();
  world.open();
  for (const auto& chunk : chunks) EXPECT_TRUE(world.holds(*chunk));
  world.check_space();
  const auto tail = world.loop.get(world.device->read(reference_to(*chunks[3]), 1, 1));
  ASSERT_TRUE(tail);
  EXPECT_TRUE(equal(tail->ciphertext.view(), chunks[3]->ciphertext.view().subspan(4096)));
  EXPECT_EQ(tail->tags, std::vector{chunks[3]->tags[1]});
}

TEST(DeviceStore, a_small_read_is_one_io_and_never_more_than_two) {
  World world(1);
  world.open();
  const auto small = make_chunk(1, 16_KiB);
  const auto large = make_chunk(2, 200_KiB);
  ASSERT_TRUE(world.put(small));
  ASSERT_TRUE(world.put(large));
  const auto reads_of = [&world](const SealedChunk& chunk) {
    const auto before = world.disk.counters().reads;
    EXPECT_TRUE(world.loop.get(world.device->read(reference_to(chunk), 1, 1)));
    return world.disk.counters().reads - before;
  };
  EXPECT_EQ(reads_of(*small), 1U);
  EXPECT_EQ(reads_of(*large), 1U);
  world.stop();
  world.open();
  EXPECT_EQ(reads_of(*small), 1U);
  EXPECT_EQ(reads_of(*large), 2U);
  EXPECT_EQ(reads_of(*large), 1U);
}

TEST(DeviceStore, puts_that_wait_together_share_flushes) {
  World world(1);
  world.open();
  Chunks chunks;
  for (std::uint64_t i = 0; i < 60; ++i) chunks.push_back(make_chunk(i, 4_KiB));
  const auto before = world.disk.counters().syncs;
  for (const auto& reply : put_together(world, chunks)) ASSERT_TRUE(reply);
  EXPECT_LT(world.disk.counters().syncs - before, 12U);
}

TEST(DeviceStore, two_puts_of_one_new_id_write_once) {
  World world(1);
  world.open();
  const auto chunk = make_chunk(1, 8_KiB);
  ASSERT_TRUE(world.put(make_chunk(2, 1)));  // opens the first region
  const auto before = world.disk.counters().writes;
  const auto replies = put_together(world, {chunk, chunk, chunk});
  EXPECT_EQ(replies[0]->put, Put::stored);
  EXPECT_EQ(replies[1]->put, Put::touched);
  EXPECT_EQ(replies[2]->put, Put::touched);
  EXPECT_EQ(world.disk.counters().writes - before, 1U);
}

TEST(DeviceStore, another_ciphertext_under_a_known_id_is_a_conflict) {
  World world(1);
  world.open();
  const auto chunk = make_chunk(1, 8_KiB);
  const auto other = make_chunk(1, 8_KiB, 7);
  ASSERT_TRUE(world.put(chunk));
  EXPECT_EQ(world.put(other)->put, Put::conflict);
  EXPECT_TRUE(world.holds(*chunk));
  EXPECT_EQ(world.read(*other).error().code(), Errc::corrupted);
}

TEST(DeviceStore, stamps_and_touches_protect_from_a_conditional_delete) {
  World world(1);
  world.open();
  const auto chunk = make_chunk(1, 8_KiB);
  EXPECT_EQ(world.put(chunk, 3)->epoch, GcEpoch(3));
  EXPECT_EQ(world.put(chunk, 2)->epoch, GcEpoch(3));
  EXPECT_FALSE(world.erase(chunk->id, 3).value());
  ASSERT_TRUE(world.loop.get(world.device->raise_epoch(GcEpoch(5))));
  EXPECT_EQ(world.put(chunk, 1)->epoch, GcEpoch(5));
  EXPECT_FALSE(world.erase(chunk->id, 5).value());
  world.crash(1);
  world.open();
  EXPECT_FALSE(world.erase(chunk->id, 5).value());
  EXPECT_EQ(world.put(make_chunk(2, 1), 1)->epoch, GcEpoch(5)) << "the device forgot its epoch";
  EXPECT_TRUE(world.erase(chunk->id, 6).value());
  EXPECT_FALSE(world.erase(chunk->id, 6).value());
  EXPECT_EQ(world.read(*chunk).error().code(), Errc::not_found);
  world.crash(2);
  world.open();
  EXPECT_EQ(world.read(*chunk).error().code(), Errc::not_found);
}

TEST(DeviceStore, a_touch_that_raises_nothing_writes_nothing) {
  World world(1);
  world.open();
  const auto chunk = make_chunk(1, 8_KiB);
  ASSERT_TRUE(world.put(chunk, 3));
  const auto before = world.disk.counters().writes;
  EXPECT_EQ(world.put(chunk, 3)->put, Put::touched);
  EXPECT_EQ(world.disk.counters().writes, before);
}

TEST(DeviceStore, damage_is_an_error_and_never_wrong_bytes) {
  for (const Bytes length : {6_KiB, 100_KiB}) {
    for (Bytes offset = 100; offset < 4_KiB + length; offset += 1777) {
      World world(1);
      world.open();
      const auto chunk = make_chunk(1, length);
      const auto healthy = make_chunk(2, length);
      ASSERT_TRUE(world.put(chunk));
      ASSERT_TRUE(world.put(healthy));
      world.stop();
      world.open();  // so that no header is in memory
      world.disk.flip_bit("/device/data", 1_MiB + offset, 3);
      const auto found = world.read(*chunk);
      if (found) {
        EXPECT_TRUE(world.holds(*chunk)) << offset;
      } else {
        EXPECT_EQ(found.error().code(), Errc::corrupted) << offset;
      }
      if (offset >= 4_KiB) EXPECT_FALSE(found) << offset;
      EXPECT_TRUE(world.holds(*healthy));
    }
  }
}

/// Cuts the power after so many steps of a put that lets the file grow. False when the put ended before.
bool starts_after_a_cut(std::uint64_t seed, std::size_t steps, bool& starts) {
  World world(seed);
  world.open();
  bool ended = false;
  world.loop.spawn([](DeviceStore& device, bool& done) -> Task<> {
    co_await device.put(make_chunk(1, 100_KiB), GcEpoch(1));
    done = true;
  }(*world.device, ended));
  for (std::size_t step = 0; step < steps && !ended; ++step) world.loop.step();
  const bool was_ended = ended;
  world.crash(seed);
  auto opened = world.loop.get(world.start());
  starts = opened.has_value();
  if (opened) world.device = std::move(*opened);
  return !was_ended;
}

std::size_t cuts_without_a_start(std::uint64_t seeds) {
  std::size_t failures = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    bool starts = true;
    for (std::size_t steps = 0; starts_after_a_cut(seed, steps, starts); ++steps) failures += starts ? 0 : 1;
  }
  return failures;
}

TEST(DeviceStore, starts_after_a_power_cut_at_every_moment_of_a_growth) {
  EXPECT_EQ(cuts_without_a_start(100), 0U);
}

TEST(DeviceStore, a_growth_that_is_not_durable_is_noticed) {
  const planted::Fault fault("6.4 a region opened beyond what is durable");
  EXPECT_GT(cuts_without_a_start(100), 0U);
  EXPECT_GT(fault.met(), 0U);
}

TEST(DeviceStore, a_disk_that_lies_is_found_out) {
  World world(1);
  world.open();
  const auto chunk = make_chunk(1, 8_KiB);
  ASSERT_TRUE(world.put(chunk));
  world.disk.faults().read_flips = 1'000'000;
  EXPECT_EQ(world.read(*chunk).error().code(), Errc::corrupted);
  world.disk.faults() = {.read_errors = 1'000'000};
  EXPECT_EQ(world.read(*chunk).error().code(), Errc::io_error);
  world.disk.faults() = {};
  EXPECT_TRUE(world.holds(*chunk));
}

TEST(DeviceStore, after_a_failed_write_it_is_read_only_until_a_restart) {
  World world(1);
  world.open();
  const auto chunk = make_chunk(1, 8_KiB);
  ASSERT_TRUE(world.put(chunk));
  world.disk.faults().sync_errors = 1'000'000;
  EXPECT_EQ(world.put(make_chunk(2, 8_KiB)).error().code(), Errc::io_error);
  world.disk.faults() = {};
  EXPECT_EQ(world.put(make_chunk(3, 8_KiB)).error().code(), Errc::io_error);
  EXPECT_EQ(world.erase(chunk->id, 9).error().code(), Errc::io_error);
  EXPECT_TRUE(world.holds(*chunk));
  world.stop();
  world.open();
  EXPECT_TRUE(world.holds(*chunk));
  EXPECT_TRUE(world.put(make_chunk(3, 8_KiB)));
}

TEST(DeviceStore, full_is_a_clean_error_and_deletes_go_on) {
  World world(1);
  world.open();
  Chunks chunks;
  Errc refusal{};
  while (chunks.size() < 1000) {
    const auto chunk = make_chunk(chunks.size(), 20_KiB);
    const auto reply = world.put(chunk);
    if (!reply) {
      refusal = reply.error().code();
      break;
    }
    chunks.push_back(chunk);
  }
  EXPECT_EQ(refusal, Errc::no_space);
  EXPECT_GT(world.device->usage().used, world.device->usage().capacity * 85 / 100);
  for (const auto& chunk : chunks) ASSERT_TRUE(world.holds(*chunk));
  EXPECT_EQ(world.put(chunks[0], 2)->put, Put::touched);
  for (const auto& chunk : chunks) ASSERT_TRUE(world.erase(chunk->id, 9).value());
  EXPECT_EQ(world.device->usage().used, 0U);
  for (const auto& chunk : chunks) ASSERT_TRUE(world.put(chunk));
  world.crash(1);
  world.open();
  for (const auto& chunk : chunks) ASSERT_TRUE(world.holds(*chunk));
}

TEST(DeviceStore, a_full_file_system_stops_growth_and_nothing_else) {
  World world(1);
  world.open();
  ASSERT_TRUE(world.put(make_chunk(0, 100_KiB)));
  world.disk.set_capacity(world.disk.used() + 300_KiB);
  Chunks chunks;
  for (std::uint64_t i = 1; i < 100; ++i) {
    const auto chunk = make_chunk(i, 100_KiB);
    const auto reply = world.put(chunk);
    if (!reply) {
      EXPECT_EQ(reply.error().code(), Errc::no_space);
      break;
    }
    chunks.push_back(chunk);
  }
  ASSERT_LT(chunks.size(), 10U);
  for (std::uint64_t i = 1000; world.put(make_chunk(i, 1)); ++i) chunks.push_back(make_chunk(i, 1));
  for (const auto& chunk : chunks) EXPECT_TRUE(world.holds(*chunk));
  for (const auto& chunk : chunks) ASSERT_TRUE(world.erase(chunk->id, 9).value());
  for (const auto& chunk : chunks) EXPECT_TRUE(world.put(chunk));
}

TEST(DeviceStore, an_index_that_stalls_is_asked_again) {
  World world(1);
  world.open();
  world.store.fail_writes(3);
  const auto chunk = make_chunk(1, 8_KiB);
  EXPECT_TRUE(world.put(chunk));
  world.store.fail_writes(1000);
  EXPECT_EQ(world.put(make_chunk(2, 8_KiB)).error().code(), Errc::io_error);
  EXPECT_TRUE(world.holds(*chunk));
  world.store.fail_writes(0);
}

TEST(DeviceStore, an_index_that_cannot_flush_stops_puts_without_loss) {
  World world(1);
  world.open();
  world.store.set_full(true);
  Chunks chunks;
  Errc refusal{};
  for (std::uint64_t i = 0; i < 100; ++i) {
    const auto chunk = make_chunk(i, 100_KiB);
    const auto reply = world.put(chunk);
    if (!reply) {
      refusal = reply.error().code();
      break;
    }
    chunks.push_back(chunk);
  }
  EXPECT_EQ(refusal, Errc::no_space);
  world.store.set_full(false);
  EXPECT_TRUE(world.put(make_chunk(1000, 100_KiB)));
  for (const auto& chunk : chunks) EXPECT_TRUE(world.holds(*chunk));
}

TEST(DeviceStore, rebuilds_a_lost_index_from_the_fragments) {
  World world(1);
  world.open();
  Chunks chunks;
  for (std::uint64_t i = 0; i < 30; ++i) {
    chunks.push_back(make_chunk(i, 1 + i * 3000));
    ASSERT_TRUE(world.put(chunks.back()));
  }
  ASSERT_TRUE(world.put(chunks[5], 4));
  ASSERT_TRUE(world.erase(chunks[6]->id, 3).value());
  world.stop();
  kv::Batch everything;
  for (kv::Family family = 0; family < 4; ++family) everything.erase_range(family, {});
  ASSERT_TRUE(world.store.write(everything));
  world.open();
  for (std::size_t i = 0; i < chunks.size(); ++i) EXPECT_EQ(world.holds(*chunks[i]), i != 6) << i;
  EXPECT_FALSE(world.erase(chunks[5]->id, 4).value());
  world.check_space();
}

TEST(DeviceStore, refuses_what_is_not_its_own_and_changes_nothing) {
  World world(1);
  world.open();
  const auto chunk = make_chunk(1, 8_KiB);
  ASSERT_TRUE(world.put(chunk));
  world.stop();
  const auto open_with = [&world](DeviceStore::SecretWrap wrap, kv::KvStore& index) {
    auto services = world.services();
    auto opened = world.loop.get(DeviceStore::open(
        World::small(), std::move(wrap),
        {services.disk, index, services.rng, services.pool, services.executor, services.clock}));
    return opened ? Errc{} : opened.error().code();
  };
  auto broken = test_wrap();
  broken.open = [](View, View) -> Result<std::string> { return fail(Errc::key_unavailable, "no key"); };
  EXPECT_EQ(open_with(broken, world.store), Errc::key_unavailable);
  CrashableKv foreign(4);
  {
    World other(2);
    other.open();
    detail::Index index(other.store, {});
    detail::Index copy(foreign, {});
    ASSERT_TRUE(copy.set_owner(**index.owner()));
  }
  EXPECT_EQ(open_with(test_wrap(), foreign), Errc::corrupted);
  ASSERT_TRUE(world.loop.get(world.disk.rename("/device/data", "/device/away")));
  EXPECT_EQ(open_with(test_wrap(), world.store), Errc::corrupted);
  ASSERT_TRUE(world.loop.get(world.disk.rename("/device/away", "/device/data")));
  world.open();
  EXPECT_TRUE(world.holds(*chunk));
}

TEST(DeviceStore, one_damaged_superblock_is_survived_and_two_are_refused) {
  World world(1);
  world.open();
  const auto chunk = make_chunk(1, 8_KiB);
  ASSERT_TRUE(world.put(chunk));
  world.stop();
  world.open();
  world.stop();
  world.disk.flip_bit("/device/data", 20, 0);
  world.open();
  EXPECT_TRUE(world.holds(*chunk));
  world.stop();
  world.disk.flip_bit("/device/data", 30, 0);
  world.disk.flip_bit("/device/data", 64_KiB + 30, 0);
  const auto opened = world.loop.get(world.start());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Errc::corrupted);
}

TEST(DeviceStore, a_file_that_is_no_device_is_refused) {
  World world(1);
  ASSERT_TRUE(world.loop.get(world.disk.make_directory("/device")));
  ASSERT_TRUE(world.loop.get(disk::replace_whole(world.disk, "/device/data", std::string(2_MiB, 'x'))));
  EXPECT_EQ(world.loop.get(world.start()).error().code(), Errc::wrong_format);
  ASSERT_TRUE(world.loop.get(disk::replace_whole(world.disk, "/device/data", "short")));
  EXPECT_EQ(world.loop.get(world.start()).error().code(), Errc::wrong_format);
}

TEST(DeviceStore, a_crash_while_formatting_starts_again) {
  for (std::uint64_t steps = 0; steps < 60; ++steps) {
    World world(steps);
    bool ended = false;
    world.loop.spawn([](World& owner, bool& done) -> Task<> {
      auto opened = co_await owner.start();
      if (opened) co_await (*opened)->stop();
      done = true;
    }(world, ended));
    for (std::uint64_t i = 0; i < steps; ++i) world.loop.step();
    world.crash(steps);
    world.open();
    EXPECT_TRUE(world.put(make_chunk(1, 1)));
  }
}

TEST(DeviceStore, refuses_chunks_and_ranges_out_of_shape) {
  World world(1);
  world.open();
  const auto good = make_chunk(1, 10'000);
  ASSERT_TRUE(world.put(good));
  const auto refused = [&world](Bytes length, std::size_t tags, ChunkFormat format) {
    auto chunk = std::make_shared<SealedChunk>();
    chunk->format = format;
    chunk->ciphertext = Buffer(length);
    chunk->tags.resize(tags);
    return world.put(chunk).error().code();
  };
  EXPECT_EQ(refused(0, 0, {1, 1}), Errc::invalid_argument);
  EXPECT_EQ(refused(10, 2, {1, 1}), Errc::invalid_argument);
  EXPECT_EQ(refused(10, 1, {1, 0}), Errc::invalid_argument);
  EXPECT_EQ(refused(10, 1, {1, 17}), Errc::invalid_argument);
  EXPECT_EQ(refused(10, 1, {2, 1}), Errc::invalid_argument);
  EXPECT_EQ(refused(8_MiB + 1, 2049, {1, 1}), Errc::too_large);
  EXPECT_EQ(refused(1_MiB, 16, {1, 16}), Errc::too_large) << "larger than a region";
  const auto reference = reference_to(*good);
  EXPECT_EQ(world.loop.get(world.device->read(reference, 0, 0)).error().code(), Errc::out_of_range);
  EXPECT_EQ(world.loop.get(world.device->read(reference, 2, 2)).error().code(), Errc::out_of_range);
  EXPECT_EQ(world.loop.get(world.device->read(reference, SIZE_MAX, SIZE_MAX)).error().code(),
            Errc::out_of_range);
  EXPECT_EQ(world.loop.get(world.device->read(reference_to(*make_chunk(9, 1)), 0, 1)).error().code(),
            Errc::not_found);
}

TEST(DeviceStore, takes_a_larger_capacity) {
  World world(1, World::small(4));
  world.open();
  EXPECT_EQ(world.device->usage().capacity, 1_MiB);
  world.stop();
  world.set_options(World::small(8));
  world.open();
  EXPECT_EQ(world.device->usage().capacity, 2_MiB);
  world.stop();
  world.set_options(World::small(4));
  world.open();
  EXPECT_EQ(world.device->usage().capacity, 2_MiB);
}

TEST(DeviceStore, refuses_calls_once_it_stops) {
  World world(1);
  world.open();
  const auto chunk = make_chunk(1, 1);
  world.loop.get(world.device->stop());
  EXPECT_EQ(world.put(chunk).error().code(), Errc::cancelled);
  EXPECT_EQ(world.read(*chunk).error().code(), Errc::cancelled);
  world.device.reset();
}

/// Real files, the real index, and both ways of doing I/O.
class RealDevice : public testing::TestWithParam<disk::Mode> {
 protected:
  void SetUp() override {
    std::string name = "/var/tmp/kiseki-chunk-test-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  std::filesystem::path root_;
};

TEST_P(RealDevice, keeps_chunks_of_every_size_through_a_restart) {
  Chunks chunks;
  for (const Bytes length : {Bytes{1}, 4_KiB, 300_KiB, 4_MiB, 4_MiB + 65'535, 8_MiB}) {
    chunks.push_back(make_chunk(chunks.size(), length, 0, 16));
  }
  for (int life = 0; life < 2; ++life) {
    Core core;
    BlockingPool pool(2);
    SystemRng rng;
    auto files = disk::make_disk(GetParam(), core, pool);
    if (!files && GetParam() == disk::Mode::uring) GTEST_SKIP() << files.error().words();
    auto memory = kv::make_memory_budget(8_MiB, 8_MiB);
    auto index = kv::open_rocksdb({root_ / "index", DeviceStore::index_families(), memory});
    ASSERT_TRUE(index) << index.error().to_string();
    DeviceStore::Options options;
    options.directory = root_ / "device";
    options.capacity = 300_MiB;
    options.grow = 64_MiB;
    bool done = false;
    asio::co_spawn(
        core.executor(),
        [](DeviceStore::Options how, DeviceStore::Services services, const Chunks& all, int round,
           bool& ended) -> Task<> {
          auto device = co_await DeviceStore::open(std::move(how), test_wrap(), services);
          EXPECT_TRUE(device) << device.error().to_string();
          if (!device) co_return;
          for (const auto& chunk : all) {
            if (round == 0) EXPECT_EQ((co_await (*device)->put(chunk, GcEpoch(1)))->put, Put::stored);
            const auto blocks = co_await (*device)->read(reference_to(*chunk), 0, chunk->tags.size());
            EXPECT_TRUE(blocks && equal(blocks->ciphertext.view(), chunk->ciphertext.view()));
          }
          co_await (*device)->stop();
          ended = true;
        }(std::move(options), {**files, **index, rng, pool, core.executor(), core.clock()}, chunks, life,
                        done),
        [](const std::exception_ptr& thrown) { EXPECT_EQ(thrown, nullptr); });
    core.loop().run();
    ASSERT_TRUE(done);
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, RealDevice, testing::Values(disk::Mode::uring, disk::Mode::threads),
                         [](const auto& info) {
                           return info.param == disk::Mode::uring ? "uring" : "threads";
                         });

}  // namespace
}  // namespace kiseki::chunk
