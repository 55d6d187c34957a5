#include <filesystem>
#include <gtest/gtest.h>

#include "base/planted.h"
#include "base/scope.h"
#include "chunk/placement/placing.h"
#include "chunk/testing/device_world.h"

namespace kiseki::chunk {
namespace {

using Chunks = std::vector<SealedChunkPtr>;

/// Starts all puts before the first one ends.
std::vector<Result<PutReply>> put_together(World& world, const Chunks& chunks) {
  using Replies = std::vector<std::optional<Result<PutReply>>>;
  Replies replies(chunks.size());
  Scope scope(world.loop.executor());
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    scope.spawn([](Device& device, SealedChunkPtr chunk, Replies& out, std::size_t place) -> Task<> {
      out[place] = co_await device.put(copy_of(std::move(chunk), 0));
    }(*world.device, chunks[i], replies, i));
  }
  world.loop.get(scope.stop());
  std::vector<Result<PutReply>> all;
  for (auto& reply : replies) all.push_back(std::move(*reply));
  return all;
}

TEST(DirectoryDevice, gives_back_what_was_put_also_after_a_restart) {
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
  const auto tail = world.read(*chunks[3], {1, 1});
  ASSERT_TRUE(tail);
  EXPECT_TRUE(equal(tail->ciphertext.view(), chunks[3]->ciphertext.view().subspan(4096)));
  EXPECT_EQ(tail->tags, std::vector{chunks[3]->tags[1]});
}

TEST(DirectoryDevice, a_small_read_is_one_io_and_never_more_than_two) {
  World world(1);
  world.open();
  const auto small = make_chunk(1, 16_KiB);
  const auto large = make_chunk(2, 200_KiB);
  ASSERT_TRUE(world.put(small));
  ASSERT_TRUE(world.put(large));
  const auto reads_of = [&world](const SealedChunk& chunk) {
    const auto before = world.disk.counters().reads;
    EXPECT_TRUE(world.read(chunk, {1, 1}));
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

TEST(DirectoryDevice, puts_that_wait_together_share_flushes) {
  World world(1);
  world.open();
  Chunks chunks;
  for (std::uint64_t i = 0; i < 60; ++i) chunks.push_back(make_chunk(i, 4_KiB));
  const auto before = world.disk.counters().syncs;
  for (const auto& reply : put_together(world, chunks)) ASSERT_TRUE(reply);
  EXPECT_LT(world.disk.counters().syncs - before, 12U);
}

TEST(DirectoryDevice, two_puts_of_one_new_id_write_once) {
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

TEST(DirectoryDevice, another_ciphertext_under_a_known_id_is_a_conflict) {
  World world(1);
  world.open();
  const auto chunk = make_chunk(1, 8_KiB);
  const auto other = make_chunk(1, 8_KiB, 7);
  ASSERT_TRUE(world.put(chunk));
  EXPECT_EQ(world.put(other)->put, Put::conflict);
  EXPECT_TRUE(world.holds(*chunk));
  EXPECT_EQ(world.read(*other).error().code(), Errc::corrupted);
}

Task<> put_beside(World& world, SealedChunkPtr chunk, std::optional<GcEpoch>& stamp) {
  const auto put = co_await world.device->put(copy_of(std::move(chunk), 0));
  EXPECT_TRUE(put);
  stamp = put->epoch;
}

TEST(DirectoryDevice, acknowledges_an_epoch_when_no_put_of_an_older_one_is_under_way) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    World world(seed);
    world.open();
    ASSERT_TRUE(world.put(make_chunk(1, 8_KiB), 2));
    std::optional<GcEpoch> stamp;
    world.loop.spawn(put_beside(world, make_chunk(2, 100_KiB), stamp));
    ASSERT_TRUE(world.raise(3));
    const bool was_under_way = !stamp;
    world.loop.run();
    EXPECT_TRUE(!was_under_way || *stamp >= GcEpoch(3)) << seed;
  }
}

TEST(DirectoryDevice, checks_the_bytes_of_every_block_that_is_read) {
  World world(1);
  world.open();
  const auto chunk = make_chunk(1, 16_KiB);
  ASSERT_TRUE(world.put(chunk));
  for (std::size_t block = 0; block < chunk->tags.size(); ++block) {
    world.disk.faults().read_flips = 1'000'000;
    EXPECT_EQ(world.read(*chunk, {block, 1}).error().code(), Errc::corrupted) << block;
    world.disk.faults().read_flips = 0;
    EXPECT_TRUE(world.read(*chunk, {block, 1}));
  }
}

TEST(DirectoryDevice, what_a_failed_flush_covered_is_not_believed_later) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    World world(seed);
    world.open();
    ASSERT_TRUE(world.put(make_chunk(1, 8_KiB)));
    const auto chunk = make_chunk(2, 40_KiB);
    world.disk.faults().sync_errors = 1'000'000;
    EXPECT_FALSE(world.put(chunk));
    world.disk.faults().sync_errors = 0;
    world.stop();
    world.crash(seed);
    world.open();
    ASSERT_TRUE(world.put(chunk));
    EXPECT_TRUE(world.holds(*chunk)) << seed;
  }
}

TEST(DirectoryDevice, stamps_every_put_with_an_epoch) {
  World world(1);
  world.open();
  EXPECT_FALSE(world.put(make_chunk(1, 8_KiB))->epoch.is_none());
}

TEST(DirectoryDevice, stamps_and_touches_protect_from_a_conditional_delete) {
  World world(1);
  world.open();
  const auto chunk = make_chunk(1, 8_KiB);
  EXPECT_EQ(world.put(chunk, 3)->epoch, GcEpoch(3));
  EXPECT_EQ(world.put(chunk, 2)->epoch, GcEpoch(3));
  EXPECT_FALSE(world.erase(*chunk, 3).value());
  ASSERT_TRUE(world.raise(5));
  EXPECT_EQ(world.put(chunk, 1)->epoch, GcEpoch(5));
  EXPECT_FALSE(world.erase(*chunk, 5).value());
  world.crash(1);
  world.open();
  EXPECT_FALSE(world.erase(*chunk, 5).value());
  EXPECT_EQ(world.put(make_chunk(2, 1), 1)->epoch, GcEpoch(5)) << "the device forgot its epoch";
  EXPECT_TRUE(world.erase(*chunk, 6).value());
  EXPECT_FALSE(world.erase(*chunk, 6).value());
  EXPECT_EQ(world.read(*chunk).error().code(), Errc::not_found);
  world.crash(2);
  world.open();
  EXPECT_EQ(world.read(*chunk).error().code(), Errc::not_found);
}

TEST(DirectoryDevice, a_touch_that_raises_nothing_writes_nothing) {
  World world(1);
  world.open();
  const auto chunk = make_chunk(1, 8_KiB);
  ASSERT_TRUE(world.put(chunk, 3));
  const auto before = world.disk.counters().writes;
  EXPECT_EQ(world.put(chunk, 3)->put, Put::touched);
  EXPECT_EQ(world.disk.counters().writes, before);
}

TEST(DirectoryDevice, damage_is_an_error_and_never_wrong_bytes) {
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
  world.loop.spawn([](Device& device, bool& done) -> Task<> {
    co_await device.put(copy_of(make_chunk(1, 100_KiB), 0));
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

TEST(DirectoryDevice, starts_after_a_power_cut_at_every_moment_of_a_growth) {
  EXPECT_EQ(cuts_without_a_start(100), 0U);
}

TEST(DirectoryDevice, a_growth_that_is_not_durable_is_noticed) {
  const planted::Fault fault("6.4 a region opened beyond what is durable");
  EXPECT_GT(cuts_without_a_start(100), 0U);
  EXPECT_GT(fault.met(), 0U);
}

TEST(DirectoryDevice, a_disk_that_lies_is_found_out) {
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

TEST(DirectoryDevice, after_a_failed_write_it_is_read_only_until_a_restart) {
  World world(1);
  world.open();
  const auto chunk = make_chunk(1, 8_KiB);
  ASSERT_TRUE(world.put(chunk));
  world.disk.faults().sync_errors = 1'000'000;
  EXPECT_EQ(world.put(make_chunk(2, 8_KiB)).error().code(), Errc::io_error);
  world.disk.faults() = {};
  EXPECT_EQ(world.put(make_chunk(3, 8_KiB)).error().code(), Errc::io_error);
  EXPECT_EQ(world.erase(*chunk, 9).error().code(), Errc::io_error);
  EXPECT_TRUE(world.holds(*chunk));
  world.stop();
  world.open();
  EXPECT_TRUE(world.holds(*chunk));
  EXPECT_TRUE(world.put(make_chunk(3, 8_KiB)));
}

TEST(DirectoryDevice, full_is_a_clean_error_and_deletes_go_on) {
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
  EXPECT_GT(world.status().used, world.status().capacity * 85 / 100);
  for (const auto& chunk : chunks) ASSERT_TRUE(world.holds(*chunk));
  EXPECT_EQ(world.put(chunks[0], 2)->put, Put::touched);
  for (const auto& chunk : chunks) ASSERT_TRUE(world.erase(*chunk, 9).value());
  EXPECT_EQ(world.status().used, 0U);
  for (const auto& chunk : chunks) ASSERT_TRUE(world.put(chunk));
  world.crash(1);
  world.open();
  for (const auto& chunk : chunks) ASSERT_TRUE(world.holds(*chunk));
}

TEST(DirectoryDevice, a_full_file_system_stops_growth_and_nothing_else) {
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
  for (const auto& chunk : chunks) ASSERT_TRUE(world.erase(*chunk, 9).value());
  for (const auto& chunk : chunks) EXPECT_TRUE(world.put(chunk));
}

TEST(DirectoryDevice, an_index_that_stalls_is_asked_again) {
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

TEST(DirectoryDevice, an_index_that_cannot_flush_stops_puts_without_loss) {
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

TEST(DirectoryDevice, rebuilds_a_lost_index_from_the_fragments) {
  World world(1);
  world.open();
  Chunks chunks;
  for (std::uint64_t i = 0; i < 30; ++i) {
    chunks.push_back(make_chunk(i, 1 + i * 3000));
    ASSERT_TRUE(world.put(chunks.back()));
  }
  ASSERT_TRUE(world.put(chunks[5], 4));
  ASSERT_TRUE(world.erase(*chunks[6], 3).value());
  world.stop();
  world.lose_index();
  world.open();
  for (std::size_t i = 0; i < chunks.size(); ++i) EXPECT_EQ(world.holds(*chunks[i]), i != 6) << i;
  EXPECT_FALSE(world.erase(*chunks[5], 4).value());
  world.check_space();
}

TEST(DirectoryDevice, keeps_fragments_of_a_code_through_a_crash_and_a_lost_index) {
  World world(41);
  world.open();
  ErasureCodes codes;
  std::vector<Fragment> fragments;
  for (const auto& chunk : {make_coded_chunk(1, {4, 2}, 128_KiB), make_coded_chunk(2, {8, 3}, 200'000)}) {
    for (Fragment& one : encode(chunk, codes)) fragments.push_back(std::move(one));
  }
  EXPECT_TRUE(fragments[6 + 7].bytes.empty());  // and yet it is kept

  const auto check_all = [&] {
    for (const Fragment& one : fragments) {
      const FragmentKey key{one.chunk->name, one.index};
      const auto stored = world.loop.get(world.device->describe(key));
      ASSERT_TRUE(stored) << stored.error().to_string();
      EXPECT_EQ(stored->chunk, *one.chunk);
      const std::size_t rows = block_count(one.chunk->format, one.bytes.size());
      for (std::size_t row = 0; row < rows; ++row) {
        const auto read =
            world.loop.get(world.device->read(key, reference_to(*one.chunk), {row, rows - row}));
        ASSERT_TRUE(read) << read.error().to_string();
        EXPECT_TRUE(equal(read->ciphertext.view(), one.bytes.subspan(row * block_size(one.chunk->format))));
        EXPECT_EQ(read->tags.size(), one.index < one.chunk->format.data ? rows - row : 0);
      }
      EXPECT_FALSE(world.loop.get(world.device->read(key, reference_to(*one.chunk), {rows, 1})));
    }
    world.check_space();
  };
  for (const Fragment& one : fragments) {
    EXPECT_EQ(world.loop.get(world.device->put(one))->put, Put::stored);
    EXPECT_EQ(world.loop.get(world.device->put(one))->put, Put::touched);
  }
  check_all();
  world.crash(42);
  world.open();
  check_all();
  world.stop();
  world.lose_index();
  world.open();
  check_all();
}

TEST(DirectoryDevice, a_rebuilt_index_takes_what_it_finds_for_put_now) {
  World world(1);
  world.open();
  const auto chunk = make_chunk(1, 5000);
  ASSERT_TRUE(world.put(chunk, 2));
  ASSERT_TRUE(world.put(chunk, 5));  // only a touch: its record is lost with the region it stands in
  world.stop();
  world.lose_index();
  for (Bytes offset = 1_MiB + 12_KiB; offset < 1_MiB + 256_KiB; offset += 4_KiB) {
    world.disk.flip_bit("/device/data", offset, 0);
  }
  world.open();
  ASSERT_TRUE(world.holds(*chunk));
  EXPECT_FALSE(world.erase(*chunk, 5).value());
  EXPECT_TRUE(world.erase(*chunk, 6).value());
}

TEST(DirectoryDevice, many_deletes_share_flushes) {
  World world(1, World::small(100));
  world.open();
  std::vector<FragmentKey> keys;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const auto chunk = make_chunk(i, 1);
    ASSERT_TRUE(world.put(chunk));
    keys.push_back(key_of(*chunk));
  }
  ASSERT_TRUE(world.put(make_chunk(1000, 1), 3));
  keys.push_back(key_of(*make_chunk(1000, 1)));
  keys.push_back(key_of(*make_chunk(1001, 1)));
  std::ranges::sort(keys);
  const auto before = world.disk.counters();
  const auto erased = world.erase(keys, 3);
  ASSERT_TRUE(erased);
  EXPECT_EQ(std::ranges::count(*erased, true), 1000);
  EXPECT_LE(world.disk.counters().syncs - before.syncs, 8U);
  EXPECT_LE(world.disk.counters().writes - before.writes, 8U);
  EXPECT_EQ(world.status().fragments, 1U);
  world.crash(1);
  world.open();
  EXPECT_EQ(world.status().fragments, 1U);
  EXPECT_EQ(world.erase({keys[1], keys[0]}, 3).error().code(), Errc::invalid_argument);
}

TEST(DirectoryDevice, deletes_find_room_for_their_records_where_free_space_lies_in_single_blocks) {
  World world(1, World::small(2));
  world.open();
  Chunks chunks;
  for (std::uint64_t i = 0;; ++i) {
    const auto chunk = make_chunk(i, 1);
    if (!world.put(chunk)) break;
    chunks.push_back(chunk);
  }
  std::vector<FragmentKey> keys;
  for (const auto& chunk : chunks) keys.push_back(key_of(*chunk));
  std::ranges::sort(keys);
  ASSERT_TRUE(world.erase(keys, 9));
  EXPECT_EQ(world.status().used, 0U);
  ASSERT_TRUE(world.put(chunks[0]));
}

TEST(DirectoryDevice, a_device_that_failed_says_so) {
  World world(1);
  world.open();
  ASSERT_TRUE(world.put(make_chunk(1, 1)));
  EXPECT_EQ(world.status().failure, "");
  world.disk.faults().write_errors = 1'000'000;
  EXPECT_FALSE(world.put(make_chunk(2, 1)));
  world.disk.faults() = {};
  EXPECT_NE(world.status().failure, "");
  EXPECT_TRUE(world.holds(*make_chunk(1, 1)));
}

TEST(DirectoryDevice, a_scan_reads_the_index_about_once_a_fragment) {
  // Twice as many fragments in one region: twice the time, not four times.
  const auto steps = [](std::uint64_t fragments) {
    auto options = World::small(3);
    options.region = 16_MiB;
    options.capacity = 1_MiB + 3 * options.region;
    World world(1, options);
    world.open();
    for (std::uint64_t i = 0; i < fragments; ++i) EXPECT_TRUE(world.put(make_chunk(i, 1)));
    world.disk.kill();
    world.end(1);
    const auto before = world.store.rows_read();
    world.open();
    EXPECT_EQ(world.status().fragments, fragments);
    return world.store.rows_read() - before;
  };
  EXPECT_LE(steps(800), 3 * steps(400));
}

TEST(DirectoryDevice, refuses_what_is_not_its_own_and_changes_nothing) {
  World world(1);
  world.open();
  const auto chunk = make_chunk(1, 8_KiB);
  ASSERT_TRUE(world.put(chunk));
  world.stop();
  const auto open_with = [&world](SecretWrap wrap, kv::KvStore& index) {
    auto services = world.machinery();
    auto opened = world.loop.get(open_local_device(
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

TEST(DirectoryDevice, knows_its_cluster_and_its_starts_until_the_map_does) {
  World world(1);
  world.open();
  EXPECT_EQ(world.status().identity.starts.size(), 1U);
  world.crash(2);
  world.open();
  const auto second = world.status().identity;
  ASSERT_EQ(second.starts.size(), 2U);
  EXPECT_NE(second.starts[0], second.starts[1]);
  ASSERT_TRUE(world.loop.get(world.device->confirm_start()));
  world.crash(3);
  for (std::size_t count = 2; count <= 10; ++count) {
    world.open();
    const auto identity = world.status().identity;
    EXPECT_EQ(identity.id, second.id);
    ASSERT_EQ(identity.starts.size(), std::min<std::size_t>(count, 8));
    EXPECT_EQ(identity.starts[0], second.starts[1]) << "what the map knows is never forgotten";
    world.stop();
  }
  auto options = World::small();
  options.cluster = {std::byte{1}};
  world.set_options(options);
  const auto refused = world.loop.get(world.start());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::precondition_failed);
  EXPECT_EQ(refused.error().words(), "/device is a device of another cluster");
}

TEST(DirectoryDevice, keeps_what_it_acknowledged_of_groups_over_a_crash) {
  World world(1);
  world.open();
  const auto chunk = make_chunk(1, 5000);
  Fragment fragment = copy_of(chunk, 0);
  const auto bits = std::uint8_t{8};
  GroupRecord group{.pool = PoolId(1), .number = detail::group_of(chunk->name.id, bits)};
  group.epoch = GroupEpoch(4);
  group.current = {{std::byte{1}}};
  ASSERT_TRUE(world.loop.get(world.device->acknowledge(bits, {group})));
  const auto put_at = [&](std::uint64_t epoch) {
    fragment.group = {bits, GroupEpoch(epoch)};
    const auto reply = world.loop.get(world.device->put(fragment));
    return reply ? std::optional<Errc>() : reply.error().code();
  };
  EXPECT_EQ(put_at(3), Errc::stale);
  EXPECT_EQ(put_at(4), std::nullopt);
  world.crash(2);
  world.open();
  EXPECT_EQ(put_at(3), Errc::stale);
  EXPECT_EQ(put_at(4), std::nullopt);
  group.epoch = GroupEpoch(3);
  EXPECT_EQ(world.loop.get(world.device->acknowledge(bits, {group})).error().code(), Errc::stale);
  world.stop();
  world.lose_index();
  world.open();
  EXPECT_TRUE(world.holds(*chunk));
  EXPECT_EQ(put_at(4), Errc::stale) << "it has acknowledged nothing that it knows of";
}

TEST(DirectoryDevice, one_damaged_superblock_is_survived_and_two_are_refused) {
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

TEST(DirectoryDevice, a_file_that_is_no_device_is_refused) {
  World world(1);
  ASSERT_TRUE(world.loop.get(world.disk.make_directory("/device")));
  ASSERT_TRUE(world.loop.get(disk::replace_whole(world.disk, "/device/data", std::string(2_MiB, 'x'))));
  EXPECT_EQ(world.loop.get(world.start()).error().code(), Errc::wrong_format);
  ASSERT_TRUE(world.loop.get(disk::replace_whole(world.disk, "/device/data", "short")));
  EXPECT_EQ(world.loop.get(world.start()).error().code(), Errc::wrong_format);
}

TEST(DirectoryDevice, a_crash_while_formatting_starts_again) {
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

TEST(DirectoryDevice, refuses_chunks_and_ranges_out_of_shape) {
  World world(1);
  world.open();
  const auto good = make_chunk(1, 10'000);
  ASSERT_TRUE(world.put(good));
  const auto format_of = [](std::uint8_t units, std::uint8_t codec = 1) {
    ChunkFormat format;
    format.codec = codec;
    format.block_units = units;
    return format;
  };
  const auto refused = [&world](Bytes length, std::size_t tags, ChunkFormat format) {
    auto description = std::make_shared<ChunkDescription>();
    description->format = format;
    description->length = static_cast<std::uint32_t>(length);
    description->tags.resize(tags);
    description->checksums.resize(tags);
    const std::string bytes(length, 'x');
    const Fragment fragment{description, 0, as_view(bytes), nullptr};
    return world.loop.get(world.device->put(fragment)).error().code();
  };
  EXPECT_EQ(refused(0, 0, format_of(1)), Errc::invalid_argument);
  EXPECT_EQ(refused(10, 2, format_of(1)), Errc::invalid_argument);
  EXPECT_EQ(refused(10, 1, format_of(0)), Errc::invalid_argument);
  EXPECT_EQ(refused(10, 1, format_of(17)), Errc::invalid_argument);
  EXPECT_EQ(refused(10, 1, format_of(1, 2)), Errc::invalid_argument);
  EXPECT_EQ(refused(8_MiB + 1, 2049, format_of(1)), Errc::too_large);
  EXPECT_EQ(refused(1_MiB, 16, format_of(16)), Errc::too_large) << "larger than a region";
  EXPECT_EQ(world.read(*good, {0, 0}).error().code(), Errc::out_of_range);
  EXPECT_EQ(world.read(*good, {2, 2}).error().code(), Errc::out_of_range);
  EXPECT_EQ(world.read(*good, {SIZE_MAX, SIZE_MAX}).error().code(), Errc::out_of_range);
  EXPECT_EQ(world.read(*make_chunk(9, 1), {0, 1}).error().code(), Errc::not_found);
}

TEST(DirectoryDevice, takes_a_larger_capacity) {
  World world(1, World::small(4));
  world.open();
  EXPECT_EQ(world.status().capacity, 1_MiB);
  world.stop();
  world.set_options(World::small(8));
  world.open();
  EXPECT_EQ(world.status().capacity, 2_MiB);
  world.stop();
  world.set_options(World::small(4));
  world.open();
  EXPECT_EQ(world.status().capacity, 2_MiB);
}

TEST(DirectoryDevice, refuses_calls_once_it_stops) {
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
    auto files = disk::make_disk(GetParam(), core);
    if (!files && GetParam() == disk::Mode::uring) GTEST_SKIP() << files.error().words();
    auto memory = kv::make_memory_budget(8_MiB, 8_MiB);
    auto index = kv::open_rocksdb({root_ / "index", device_index_families(), memory});
    ASSERT_TRUE(index) << index.error().to_string();
    LocalDeviceOptions options;
    options.directory = root_ / "device";
    options.capacity = 300_MiB;
    options.grow = 64_MiB;
    bool done = false;
    asio::co_spawn(
        core.executor(),
        [](LocalDeviceOptions how, Machinery machinery, const Chunks& all, int round, bool& ended) -> Task<> {
          auto device = co_await open_local_device(std::move(how), test_wrap(), machinery);
          EXPECT_TRUE(device) << device.error().to_string();
          if (!device) co_return;
          for (const auto& chunk : all) {
            if (round == 0) EXPECT_EQ((co_await (*device)->put(copy_of(chunk, 0)))->put, Put::stored);
            const auto blocks =
                co_await (*device)->read(key_of(*chunk), reference_to(*chunk), {0, chunk->tags.size()});
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
