#include "chunk/pool_store.h"

#include <gtest/gtest.h>

#include "base/planted.h"
#include "chunk/testing/pool_world.h"

namespace kiseki::chunk {
namespace {

constexpr Bytes small = 20'000, coded = 300'000;

TEST(PoolStore, gives_back_what_was_put_whole_and_in_every_range) {
  PoolWorld world({4, 2}, 9);
  for (const Bytes length : {Bytes{1}, small, 64_KiB, coded, 513_KiB, 2_MiB}) {
    const auto chunk = make_coded_chunk(length, {4, 2}, length);
    const auto reply = world.put(chunk);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->put, Put::stored);
    EXPECT_EQ(reply->missing, 0U);
    EXPECT_EQ(world.put(chunk)->put, Put::touched);
    for (std::size_t first = 0; first < chunk->tags.size(); ++first) {
      for (std::size_t count = 1; count <= chunk->tags.size() - first; ++count) {
        ASSERT_TRUE(world.holds(*chunk, {first, count})) << length << ": " << first << ", " << count;
      }
    }
    EXPECT_EQ(world.read(*chunk, {0, chunk->tags.size() + 1}).error().code(), Errc::out_of_range);
  }
}

TEST(PoolStore, a_healthy_read_touches_only_what_it_needs) {
  PoolWorld world({4, 2}, 6);
  const auto chunk = make_coded_chunk(1, {4, 2}, 2_MiB);  // 8 rows
  ASSERT_TRUE(world.put(chunk));
  const auto reads = [&] {
    std::size_t count = 0;
    for (const auto& device : world.devices) count += device->memory().reads;
    return count;
  };
  ASSERT_TRUE(world.holds(*chunk, {9, 2}));
  EXPECT_EQ(reads(), 1U);
  ASSERT_TRUE(world.holds(*chunk));
  EXPECT_EQ(reads(), 5U);
}

TEST(PoolStore, survives_the_loss_of_any_two_devices_of_4_and_2) {
  PoolWorld world({4, 2}, 6);
  std::vector<SealedChunkPtr> chunks;
  for (std::uint64_t i = 0; i < 8; ++i) {
    chunks.push_back(make_coded_chunk(i, {4, 2}, i % 2 == 0 ? coded + i : small + i));
    ASSERT_TRUE(world.put(chunks.back()));
  }
  for (std::size_t a = 0; a < 6; ++a) {
    for (std::size_t b = a + 1; b < 6; ++b) {
      world.devices[a]->die();
      world.devices[b]->die();
      for (const auto& chunk : chunks) {
        ASSERT_TRUE(world.holds(*chunk)) << a << " and " << b;
        ASSERT_TRUE(world.holds(*chunk, {chunk->tags.size() / 2, 1}));
      }
      world.devices[a]->come_back();
      world.devices[b]->come_back();
    }
  }
}

TEST(PoolStore, reads_around_rot_and_never_serves_it) {
  PoolWorld world({4, 2}, 7);
  const auto chunk = make_coded_chunk(1, {4, 2}, coded);
  ASSERT_TRUE(world.put(chunk));
  world.device_of(*chunk, 0).rot({chunk->name, 0});
  world.device_of(*chunk, 5).rot({chunk->name, 5});
  EXPECT_TRUE(world.holds(*chunk));
  world.device_of(*chunk, 3).rot({chunk->name, 3});
  EXPECT_EQ(world.read(*chunk, {0, chunk->tags.size()}).error().code(), Errc::corrupted);
}

TEST(PoolStore, what_is_decoded_is_checked_again) {
  PoolWorld world({4, 2}, 6);
  const auto chunk = make_coded_chunk(1, {4, 2}, coded);
  ASSERT_TRUE(world.put(chunk));
  world.device_of(*chunk, 1).die();
  // A device that lies about its own check.
  world.device_of(*chunk, 4).memory().damage(FragmentKey{chunk->name, 4}, 1000);
  const std::size_t rows = row_count(chunk->format, coded);
  const BlockRange lost{rows, 1};
  EXPECT_EQ(world.read(*chunk, lost).error().code(), Errc::corrupted);
  const planted::Fault fault("8.7 a decoded block is not checked");
  EXPECT_TRUE(world.read(*chunk, lost));
  EXPECT_FALSE(world.holds(*chunk, lost));
  EXPECT_GT(fault.met(), 0U);
}

TEST(PoolStore, a_hung_or_slow_device_costs_a_hedge_and_no_more) {
  PoolWorld world({4, 2}, 6);
  const auto chunk = make_coded_chunk(1, {4, 2}, coded);
  const auto copies = make_coded_chunk(2, {4, 2}, small);
  ASSERT_TRUE(world.put(chunk));
  ASSERT_TRUE(world.put(copies));
  for (const bool hangs : {true, false}) {
    hangs ? world.devices[2]->hang() : world.devices[2]->be_slow(std::chrono::seconds(10));
    const auto began = world.clock.now();
    EXPECT_TRUE(world.holds(*chunk));
    EXPECT_TRUE(world.holds(*copies));
    EXPECT_LT(world.clock.now() - began, std::chrono::milliseconds(200));
    world.devices[2]->come_back();
  }
}

TEST(PoolStore, a_suspect_device_is_not_waited_for) {
  PoolWorld world({4, 2}, 6);
  const auto chunk = make_coded_chunk(1, {4, 2}, coded);
  ASSERT_TRUE(world.put(chunk));
  const DeviceId suspect = world.group_of(chunk->name).current[1];
  world.set_state(suspect, DeviceState::suspect);
  world.device(suspect).hang();
  const auto began = world.clock.now();
  EXPECT_TRUE(world.holds(*chunk));
  EXPECT_EQ(world.clock.now(), began);
  // Nor by a put.
  const auto reply = world.put(make_coded_chunk(3, {4, 2}, coded));
  ASSERT_TRUE(reply);
  EXPECT_EQ(std::popcount(reply->missing), 1);
  EXPECT_EQ(world.clock.now(), began);
}

TEST(PoolStore, a_put_waits_for_active_devices_up_to_the_hedge_deadline) {
  PoolWorld world({4, 2}, 6);
  world.devices[4]->hang();
  const auto began = world.clock.now();
  const auto chunk = make_coded_chunk(1, {4, 2}, coded);
  const auto reply = world.put(chunk);
  ASSERT_TRUE(reply);
  EXPECT_EQ(std::popcount(reply->missing), 1);
  EXPECT_EQ(world.clock.now() - began, std::chrono::seconds(1));
  world.devices[4]->come_back();
  world.loop.run();
  world.devices[0]->die();
  world.devices[1]->die();
  EXPECT_TRUE(world.holds(*chunk)) << "what came late is of use too";
}

TEST(PoolStore, a_put_counts_k_and_1_of_a_code_and_two_copies) {
  PoolWorld world({4, 2}, 6);
  const auto chunk = make_coded_chunk(1, {4, 2}, coded);
  world.device_of(*chunk, 0).die();
  const auto reply = world.put(chunk);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->missing, 1U);
  world.device_of(*chunk, 5).die();
  EXPECT_EQ(world.put(make_coded_chunk(1, {4, 2}, coded)).error().code(), Errc::unavailable);
  for (auto& device : world.devices) device->come_back();
  const auto copies = make_coded_chunk(2, {4, 2}, small);
  world.device_of(*copies, 1).die();
  EXPECT_EQ(world.put(copies)->missing, 0b010U);
  world.device_of(*copies, 2).die();
  EXPECT_EQ(world.put(copies).error().code(), Errc::unavailable);
}

TEST(PoolStore, a_full_device_is_missing_and_a_full_pool_has_no_space) {
  PoolWorld world({4, 2}, 6);
  const auto chunk = make_coded_chunk(1, {4, 2}, coded);
  world.device_of(*chunk, 2).memory().refuse_puts(Errc::no_space);
  EXPECT_EQ(world.put(chunk)->missing, 0b100U);
  world.device_of(*chunk, 3).memory().refuse_puts(Errc::no_space);
  EXPECT_EQ(world.put(chunk).error().code(), Errc::no_space);
}

TEST(PoolStore, the_epoch_of_a_put_is_the_lowest_of_its_fragments) {
  PoolWorld world({4, 2}, 6);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_TRUE(world.loop.get(world.devices[i]->raise_epoch(GcEpoch(10 + i))));
  }
  const auto chunk = make_coded_chunk(1, {4, 2}, coded);
  EXPECT_EQ(world.put(chunk)->epoch, GcEpoch(10));
  EXPECT_EQ(world.loop.get(world.store->touch(chunk->name.ns, reference_to(*chunk))), GcEpoch(10));
  EXPECT_EQ(world.loop.get(world.store->epoch()), GcEpoch(10));
  const planted::Fault fault("8.10 a chunk's epoch is the highest of its fragments");
  EXPECT_NE(world.put(chunk)->epoch, GcEpoch(10));
  EXPECT_GT(fault.met(), 0U);
}

TEST(PoolStore, a_commit_that_counts_too_little_is_noticed) {
  PoolWorld world({4, 2}, 6);
  const planted::Fault fault("8.4 a commit counts one index too few");
  const auto chunk = make_coded_chunk(1, {4, 2}, coded);
  world.device_of(*chunk, 0).die();
  world.device_of(*chunk, 1).die();
  ASSERT_TRUE(world.put(chunk));
  for (auto& device : world.devices) device->come_back();
  world.device_of(*chunk, 2).die();
  EXPECT_FALSE(world.holds(*chunk)) << "and yet one domain alone is gone";
  EXPECT_GT(fault.met(), 0U);
}

TEST(PoolStore, another_ciphertext_under_a_known_name_is_a_conflict) {
  PoolWorld world({4, 2}, 6);
  const auto chunk = make_coded_chunk(1, {4, 2}, coded);
  ASSERT_TRUE(world.put(chunk));
  EXPECT_EQ(world.put(make_chunk_of(chunk->format, 1, coded, 1))->put, Put::conflict);
  EXPECT_TRUE(world.holds(*chunk));
}

TEST(PoolStore, a_touch_that_finds_too_little_puts_the_chunk_again) {
  PoolWorld world({4, 2}, 6);
  for (const auto& chunk : {make_coded_chunk(1, {4, 2}, coded), make_coded_chunk(2, {4, 2}, small)}) {
    ASSERT_TRUE(world.put(chunk));
    world.devices[0]->forget_all();
    world.devices[1]->forget_all();
    ASSERT_TRUE(world.loop.get(world.store->touch(chunk->name.ns, reference_to(*chunk))));
    world.devices[2]->die();
    world.devices[3]->die();
    EXPECT_TRUE(world.holds(*chunk));
    world.devices[2]->come_back();
    world.devices[3]->come_back();
  }
  const auto never = make_coded_chunk(3, {4, 2}, coded);
  const auto touched = world.loop.get(world.store->touch(never->name.ns, reference_to(*never)));
  EXPECT_EQ(touched.error().code(), Errc::not_found);
}

TEST(PoolStore, reads_from_previous_devices_while_a_group_moves_and_reads_the_map_again) {
  PoolWorld world({4, 2}, 12);
  const auto chunk = make_coded_chunk(1, {4, 2}, coded);
  ASSERT_TRUE(world.put(chunk));
  auto rows = world.loop.get(world.map.read()).value();
  const auto snapshot = detail::MapSnapshot::parse(rows);
  const auto group = snapshot->groups(PoolId(1))[world.group_of(chunk->name).number.value()];
  DeviceList others;
  for (const DeviceRecord& record : world.records) {
    if (std::ranges::find(group.record.current, record.id) == group.record.current.end()) {
      others.push_back(record.id);
    }
  }
  const GroupRecord moved = detail::begin_move(group.record, others);
  ASSERT_TRUE(world.loop.get(world.map.commit({detail::row_of(moved, group.version)})));
  EXPECT_TRUE(world.holds(*chunk)) << "the old map still leads there";
  EXPECT_EQ(world.put(chunk)->put, Put::touched) << "and puts go where it says";
  world.acknowledge();
  EXPECT_EQ(world.put(chunk)->put, Put::stored) << "until the devices know better";
  EXPECT_TRUE(world.holds(*chunk));
  // A store that has not heard of the end of the move looks again before it says that nothing is there.
  for (const DeviceId& id : group.record.current) world.device(id).forget_all();
  auto late = std::make_unique<PoolStore>(world.map, world.reachable, world.loop.executor(), world.clock);
  ASSERT_TRUE(world.loop.get(late->refresh()));
  rows = world.loop.get(world.map.read()).value();
  const auto now = detail::MapSnapshot::parse(rows)->groups(PoolId(1))[moved.number.value()];
  ASSERT_TRUE(world.loop.get(world.map.commit({detail::row_of(detail::end_move(now.record), now.version)})));
  EXPECT_TRUE(world.holds(*chunk));
  world.loop.get(late->stop());
}

TEST(PoolStore, a_map_that_devices_do_not_know_yet_is_waited_for_in_vain) {
  PoolWorld world({4, 2}, 6);
  const auto chunk = make_coded_chunk(1, {4, 2}, coded);
  ASSERT_TRUE(world.put(chunk));
  const auto rows = world.loop.get(world.map.read()).value();
  const auto group =
      detail::MapSnapshot::parse(rows)->groups(PoolId(1))[world.group_of(chunk->name).number.value()];
  const GroupRecord moved = detail::begin_move(group.record, group.record.current);
  ASSERT_TRUE(world.loop.get(world.map.commit({detail::row_of(moved, group.version)})));
  ASSERT_TRUE(world.loop.get(world.store->refresh()));
  EXPECT_EQ(world.put(chunk).error().code(), Errc::unavailable);
  const auto touched = world.loop.get(world.store->touch(chunk->name.ns, reference_to(*chunk)));
  EXPECT_EQ(touched.error().code(), Errc::unavailable);
  EXPECT_TRUE(world.holds(*chunk)) << "reads are never refused";
  world.acknowledge();
  EXPECT_EQ(world.put(chunk)->put, Put::touched);
}

TEST(PoolStore, of_one_copy_is_a_call_to_its_device) {
  PoolWorld world({1, 0}, 3);
  const auto chunk = make_coded_chunk(1, {1, 0}, coded);
  EXPECT_EQ(world.put(chunk)->put, Put::stored);
  EXPECT_TRUE(world.holds(*chunk));
  EXPECT_TRUE(world.loop.get(world.store->touch(chunk->name.ns, reference_to(*chunk))));
  world.device_of(*chunk, 0).die();
  EXPECT_EQ(world.read(*chunk, {0, 1}).error().code(), Errc::unavailable);
  EXPECT_EQ(world.put(make_coded_chunk(1, {1, 0}, coded)).error().code(), Errc::unavailable);
}

TEST(PoolStore, what_no_pool_or_device_has_is_not_found) {
  PoolWorld world({4, 2}, 6);
  const auto chunk = make_coded_chunk(1, {4, 2}, coded);
  EXPECT_EQ(world.read(*chunk, {0, 1}).error().code(), Errc::not_found);
  auto elsewhere =
      std::make_shared<SealedChunk>(SealedChunk{chunk->name, chunk->format, chunk->tags, Buffer(coded)});
  elsewhere->name.pool = PoolId(9);
  EXPECT_EQ(world.put(elsewhere).error().code(), Errc::not_found);
  EXPECT_EQ(world.store->profile(PoolId(9)).error().code(), Errc::not_found);
  EXPECT_EQ(world.store->profile(PoolId(1)), (Profile{4, 2}));
}

}  // namespace
}  // namespace kiseki::chunk
