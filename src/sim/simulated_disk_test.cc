#include "sim/simulated_disk.h"

#include <gtest/gtest.h>

#include "sim/simulated_clock.h"

namespace kiseki::sim {
namespace {

using disk::Existence;

/// A disk with a directory /d and one loop to run it.
struct World {
  explicit World(std::uint64_t seed, SimulatedDisk::Options options = {}) : disk(clock, seed, options) {
    EXPECT_TRUE(loop.get(disk.make_directory("/d")));
  }
  std::unique_ptr<disk::File> open(const std::string& name, Existence existence = Existence::create) {
    auto file = loop.get(disk.open("/d/" + name, {.existence = existence}));
    return file ? std::move(*file) : nullptr;
  }
  std::string read(disk::File& file) {
    std::string content(file.size(), '\0');
    EXPECT_TRUE(loop.get(file.read(0, std::as_writable_bytes(std::span(content)))));
    return content;
  }

  SimulatedLoop loop;
  SimulatedClock clock{loop};
  SimulatedDisk disk;
};

TEST(SimulatedDisk, keeps_what_was_synced_through_a_power_cut) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    World world(seed);
    {
      const auto file = world.open("a");
      ASSERT_TRUE(world.loop.get(file->write(0, as_view("synced"))));
      ASSERT_TRUE(world.loop.get(file->sync()));
      ASSERT_TRUE(world.loop.get(world.disk.sync_directory("/d")));
      ASSERT_TRUE(world.loop.get(file->write(6, as_view(" lost?"))));
      world.disk.crash();
      EXPECT_EQ(world.loop.get(file->sync()).error().code(), Errc::io_error);
    }
    const auto file = world.open("a", Existence::must_exist);
    ASSERT_NE(file, nullptr);
    EXPECT_EQ(world.read(*file).substr(0, 6), "synced");
  }
}

TEST(SimulatedDisk, unsynced_writes_are_kept_lost_and_torn) {
  int kept = 0;
  int lost = 0;
  int torn = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    World world(seed);
    auto file = world.open("a");
    ASSERT_TRUE(world.loop.get(world.disk.sync_directory("/d")));
    ASSERT_TRUE(world.loop.get(file->allocate(0, 4096)));
    ASSERT_TRUE(world.loop.get(file->sync()));
    ASSERT_TRUE(world.loop.get(file->write(0, as_view(std::string(4096, 'x')))));
    world.disk.crash();
    file = world.open("a", Existence::must_exist);
    const std::string content = world.read(*file);
    ASSERT_EQ(content.size(), 4096U);
    const auto count = std::ranges::count(content, 'x');
    EXPECT_EQ(count % 512, 0);
    ++(count == 4096 ? kept : count == 0 ? lost : torn);
  }
  EXPECT_GT(kept, 10);
  EXPECT_GT(lost, 10);
  EXPECT_GT(torn, 10);
}

TEST(SimulatedDisk, a_sync_covers_only_what_was_complete_when_it_began) {
  int lost = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    World world(seed);
    auto file = world.open("a");
    ASSERT_TRUE(world.loop.get(world.disk.sync_directory("/d")));
    world.loop.spawn(
        [](disk::File& target) -> Task<> { EXPECT_TRUE(co_await target.write(0, as_view("x"))); }(*file));
    ASSERT_TRUE(world.loop.get(file->sync()));
    world.loop.run();
    world.disk.crash();
    file = world.open("a", Existence::must_exist);
    if (file->size() == 0) ++lost;
  }
  EXPECT_GT(lost, 5);
}

TEST(SimulatedDisk, names_need_a_directory_sync) {
  int lost = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    World world(seed);
    auto file = world.open("new");
    ASSERT_TRUE(world.loop.get(file->write(0, as_view("x"))));
    ASSERT_TRUE(world.loop.get(file->sync()));
    world.disk.crash();
    if (world.open("new", Existence::must_exist) == nullptr) ++lost;
  }
  EXPECT_GT(lost, 5);
  EXPECT_LT(lost, 45);
}

TEST(SimulatedDisk, a_replaced_file_is_the_old_or_the_new_one) {
  int fresh = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    World world(seed);
    ASSERT_TRUE(world.loop.get(disk::replace_whole(world.disk, "/d/w", "old")));
    bool done = false;
    world.loop.spawn([](SimulatedDisk& target, bool& ended) -> Task<> {
      static_cast<void>(co_await disk::replace_whole(target, "/d/w", "newer"));
      ended = true;
    }(world.disk, done));
    for (std::uint64_t i = 0; i < seed && !done; ++i) world.loop.step();
    const bool acknowledged = done;
    world.disk.crash();
    world.loop.run();
    const auto content = world.loop.get(disk::read_whole(world.disk, "/d/w", 100));
    ASSERT_TRUE(content) << seed;
    EXPECT_TRUE(*content == "old" || *content == "newer") << seed;
    if (acknowledged) EXPECT_EQ(*content, "newer") << seed;
    if (*content == "newer") ++fresh;
  }
  EXPECT_GT(fresh, 20);
}

TEST(SimulatedDisk, a_killed_process_loses_nothing_complete) {
  World world(1);
  auto file = world.open("a");
  ASSERT_TRUE(world.loop.get(file->write(0, as_view("complete"))));
  world.disk.kill();
  EXPECT_EQ(world.loop.get(file->write(0, as_view("x"))).error().code(), Errc::io_error);
  file = world.open("a", Existence::must_exist);
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(world.read(*file), "complete");
}

TEST(SimulatedDisk, is_full_at_its_capacity) {
  World world(1, {.capacity = 1_MiB});
  const auto file = world.open("a");
  ASSERT_TRUE(world.loop.get(file->allocate(0, 1_MiB)));
  EXPECT_EQ(world.loop.get(file->write(1_MiB, as_view("x"))).error().code(), Errc::no_space);
  EXPECT_TRUE(world.loop.get(file->write(0, as_view("x"))));
  EXPECT_EQ(world.loop.get(world.disk.space("/d"))->available, 0U);
  ASSERT_TRUE(world.loop.get(world.disk.remove("/d/a")));
  EXPECT_EQ(world.loop.get(world.disk.space("/d"))->available, 1_MiB);
}

TEST(SimulatedDisk, injects_errors_flips_and_slowness) {
  World world(1);
  const auto file = world.open("a");
  ASSERT_TRUE(world.loop.get(file->write(0, as_view("content"))));
  world.disk.flip_bit("/d/a", 0, 0);
  EXPECT_EQ(world.read(*file), "bontent");
  world.disk.faults() = {.read_flips = 1'000'000, .slow = 1'000'000, .slow_latency = std::chrono::seconds(7)};
  const BootTime before = world.loop.now();
  EXPECT_NE(world.read(*file), "bontent");
  EXPECT_EQ(world.loop.now() - before, std::chrono::seconds(7));
  world.disk.faults() = {.read_errors = 1'000'000, .write_errors = 1'000'000, .sync_errors = 1'000'000};
  std::byte one{};
  EXPECT_EQ(world.loop.get(file->read(0, {&one, 1})).error().code(), Errc::io_error);
  EXPECT_EQ(world.loop.get(file->write(0, {&one, 1})).error().code(), Errc::io_error);
  EXPECT_EQ(world.loop.get(file->sync()).error().code(), Errc::io_error);
}

TEST(SimulatedDisk, two_writes_under_way_to_one_range_are_a_bug) {
  EXPECT_DEATH(
      {
        World world(1);
        const auto file = world.open("a");
        for (int i = 0; i < 2; ++i) {
          world.loop.spawn([](disk::File& target) -> Task<> {
            static_cast<void>(co_await target.write(0, as_view("x")));
          }(*file));
        }
        world.loop.run();
      },
      "apart");
}

TEST(SimulatedDisk, finds_bytes_across_pages) {
  World world(1);
  const auto file = world.open("a");
  ASSERT_TRUE(world.loop.get(file->write(4090, as_view("the needle"))));
  EXPECT_EQ(world.disk.files_with("needle").size(), 1U);
  EXPECT_TRUE(world.disk.files_with("noodle").empty());
}

TEST(SimulatedDisk, the_same_seed_gives_the_same_run) {
  const auto play = [](std::uint64_t seed) {
    World world(seed);
    auto file = world.open("a");
    EXPECT_TRUE(world.loop.get(world.disk.sync_directory("/d")));
    EXPECT_TRUE(world.loop.get(file->write(0, as_view(std::string(100'000, 'x')))));
    const BootTime end = world.loop.now();
    world.disk.crash();
    file = world.open("a", Existence::must_exist);
    return std::pair(end, world.read(*file));
  };
  EXPECT_EQ(play(7), play(7));
  EXPECT_NE(play(7), play(8));
}

TEST(SimulatedLoop, jumps_to_the_next_timer_and_keeps_their_order) {
  SimulatedLoop loop;
  SimulatedClock clock(loop);
  SimulatedClock ahead(loop, std::chrono::minutes(5));
  const BootTime start = clock.now();
  std::string order;
  clock.at(start + std::chrono::hours(2), [&] { order += 'c'; });
  clock.at(start + std::chrono::hours(1), [&] { order += 'a'; });
  clock.at(start + std::chrono::hours(1), [&] { order += 'b'; });
  const auto forgotten = clock.at(start + std::chrono::hours(1), [&] { order += 'x'; });
  clock.cancel(forgotten);
  {
    SimulatedClock(loop).at(start, [&] { order += 'y'; });
  }
  loop.run();
  EXPECT_EQ(order, "abc");
  EXPECT_EQ(clock.now() - start, std::chrono::hours(2));
  EXPECT_EQ(ahead.wall() - clock.wall(), std::chrono::minutes(5));
  EXPECT_FALSE(loop.run_until([] { return false; }));
  loop.run_for(std::chrono::hours(1));
  EXPECT_EQ(clock.now() - start, std::chrono::hours(3));
}

}  // namespace
}  // namespace kiseki::sim
