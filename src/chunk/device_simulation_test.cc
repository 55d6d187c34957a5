// Random schedules of puts, touches, reads, deletes, power cuts and kills, by seed.

#include <cstdlib>
#include <gtest/gtest.h>

#include "base/scope.h"
#include "chunk/testing/device_world.h"

namespace kiseki::chunk {
namespace {

/// What the callers of one chunk know. One write of it is under way at a time; reads come in between.
struct Known {
  std::shared_ptr<const SealedChunk> chunk;
  bool present = false;
  std::uint64_t epoch = 0;  // acknowledged last put
  bool busy = false;        // a write is under way; after a crash its outcome is open
  bool busy_erasing = false;
  std::uint64_t changes = 0;
};

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed) : rng_(seed * 2 + 1), world_(seed, World::small(4 + seed % 9)) {
    for (std::uint64_t i = 0; i < 30; ++i) {
      const Bytes length = 1 + rng_.below(rng_.below(4) == 0 ? 150'000 : 15'000);
      known_.push_back({.chunk = make_chunk(i, length)});
    }
  }

  void run() {
    world_.open();
    for (int life = 0; life < 3; ++life) {
      SCOPED_TRACE(fmt::format("life {}", life));
      live();
      die();
      if (testing::Test::HasFatalFailure()) return;
      check();
      if (testing::Test::HasFailure()) return;
    }
    check_that_space_returns();
    world_.stop();
  }

 private:
  void live() {
    stopping_ = false;
    Scope scope(world_.loop.executor());
    for (int i = 0; i < 6; ++i) scope.spawn(work());
    const std::uint64_t steps = rng_.below(2000);
    for (std::uint64_t i = 0; i < steps; ++i) world_.loop.step();
    stopping_ = true;
    // Half of the time everything ends before the crash, or the device is even stopped.
    if (rng_.below(4) == 0) world_.loop.get(scope.stop());
    if (rng_.below(2) == 0) {
      world_.disk.crash();
    } else {
      world_.disk.kill();
    }
    dead_ = true;
    world_.store.set_full(true);
    world_.loop.get(scope.stop());
  }

  /// The machine dies, and while it recovers sometimes again.
  void die() {
    world_.end(rng_.next());
    while (rng_.below(3) == 0) {
      bool ended = false;
      world_.loop.spawn(open_in_vain(ended));
      const std::uint64_t steps = rng_.below(300);
      for (std::uint64_t i = 0; i < steps && !ended; ++i) world_.loop.step();
      world_.disk.crash();
      world_.store.set_full(true);
      ASSERT_TRUE(world_.loop.run_until([&ended] { return ended; }));
      world_.end(rng_.next());
    }
    world_.open();
    dead_ = false;
  }

  Task<> open_in_vain(bool& ended) {
    auto opened = co_await world_.start();
    if (opened) co_await (*opened)->stop();
    ended = true;
  }

  Task<> work() {
    while (!stopping_) {
      Known& known = known_[rng_.below(known_.size())];
      const std::uint64_t choice = rng_.below(100);
      if (choice < 3) {
        static_cast<void>(co_await world_.device->raise_epoch(GcEpoch(1 + rng_.below(5))));
      } else if (choice < 40 || known.busy) {
        co_await read(known);
      } else if (choice < 70) {
        co_await put(known);
      } else {
        co_await erase(known);
      }
    }
  }

  Task<> read(Known& known) {
    const bool present = known.present && !known.busy;
    const bool absent = !known.present && !known.busy;
    const std::uint64_t changes = known.changes;
    const std::size_t blocks = known.chunk->tags.size();
    const std::size_t first = rng_.below(blocks);
    const std::size_t count = 1 + rng_.below(blocks - first);
    const auto found = co_await world_.device->read(reference_to(*known.chunk), first, count);
    if (dead_) co_return;
    const bool steady = changes == known.changes && !known.busy;
    if (!found) {
      EXPECT_EQ(found.error().code(), Errc::not_found) << found.error().to_string();
      EXPECT_FALSE(present && steady) << "an acknowledged chunk is gone";
      co_return;
    }
    EXPECT_FALSE(absent && steady) << "a deleted chunk is there";
    const View all = known.chunk->ciphertext.view();
    const Bytes from = first * block_size(known.chunk->format);
    const Bytes length = std::min<Bytes>(all.size() - from, count * block_size(known.chunk->format));
    EXPECT_TRUE(equal(found->ciphertext.view(), all.subspan(from, length))) << "wrong bytes";
  }

  Task<> put(Known& known) {
    known.busy = true;
    known.busy_erasing = false;
    ++known.changes;
    const auto reply = co_await world_.device->put(known.chunk, GcEpoch(rng_.below(6)));
    if (!reply) {
      EXPECT_TRUE(dead_ || reply.error().code() == Errc::no_space) << reply.error().to_string();
      if (!dead_) known.busy = false;
      if (!dead_) ++refused;
      co_return;
    }
    // What was acknowledged after the machine died came to pass before it.
    EXPECT_EQ(reply->put, known.present ? Put::touched : Put::stored);
    known.present = true;
    known.epoch = std::max(reply->epoch.value(), reply->put == Put::touched ? known.epoch : 0);
    known.busy = false;
    ++acknowledged;
  }

  Task<> erase(Known& known) {
    known.busy = true;
    known.busy_erasing = true;
    ++known.changes;
    const std::uint64_t below = 1 + rng_.below(8);
    const auto erased = co_await world_.device->erase_if_older(known.chunk->id, GcEpoch(below));
    if (!erased) {
      EXPECT_TRUE(dead_) << erased.error().to_string();
      co_return;
    }
    if (*erased) {
      EXPECT_LT(known.epoch, below) << "deleted what was put since";
      known.present = false;
      known.epoch = 0;
    }
    known.busy = false;
  }

  void check() {
    world_.check_space();
    for (Known& known : known_) {
      const auto found = world_.read(*known.chunk);
      if (!found) {
        ASSERT_EQ(found.error().code(), Errc::not_found) << found.error().to_string();
        EXPECT_TRUE(!known.present || (known.busy && known.busy_erasing)) << "an acknowledged chunk is lost";
        known.present = false;
        known.epoch = 0;
      } else {
        EXPECT_TRUE(known.present || (known.busy && !known.busy_erasing)) << "a deleted chunk came back";
        EXPECT_TRUE(equal(found->ciphertext.view(), known.chunk->ciphertext.view()));
        EXPECT_EQ(found->tags, known.chunk->tags);
        EXPECT_FALSE(world_.erase(known.chunk->id, known.epoch).value()) << "an acknowledged touch is lost";
        known.present = true;
      }
      known.busy = false;
    }
  }

  void check_that_space_returns() {
    for (const Known& known : known_) static_cast<void>(world_.erase(known.chunk->id, 1000));
    EXPECT_EQ(world_.device->usage().used, 0U);
    const Bytes capacity = world_.device->usage().capacity;
    // 45 % of the device three times over.
    for (std::uint64_t round = 0; round < 3; ++round) {
      std::vector<std::shared_ptr<const SealedChunk>> chunks;
      for (Bytes used = 0; used < capacity * 45 / 100; used += 104_KiB) {
        chunks.push_back(make_chunk(1000 + chunks.size() + round * 100, 100_KiB));
        const auto reply = world_.put(chunks.back());
        ASSERT_TRUE(reply) << reply.error().to_string() << " at " << world_.device->usage().used;
      }
      for (const auto& chunk : chunks) ASSERT_TRUE(world_.erase(chunk->id, 1000).value());
    }
    world_.check_space();
  }

  SeededRng rng_;
  World world_;
  std::vector<Known> known_;
  bool stopping_ = false;
  bool dead_ = false;

 public:
  std::uint64_t acknowledged = 0;
  std::uint64_t refused = 0;
};

TEST(DeviceSimulation, loses_and_tears_nothing_acknowledged) {
  const char* one = std::getenv("KISEKI_SEED");
  const std::uint64_t first = one == nullptr ? 0 : std::strtoull(one, nullptr, 10);
  const char* many = std::getenv("KISEKI_SEEDS");
  const std::uint64_t count = one != nullptr ? 1 : many == nullptr ? 300 : std::strtoull(many, nullptr, 10);
  std::uint64_t acknowledged = 0;
  std::uint64_t refused = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE(fmt::format("KISEKI_SEED={}", seed));
    Simulation simulation(seed);
    simulation.run();
    acknowledged += simulation.acknowledged;
    refused += simulation.refused;
    if (HasFailure()) return;
  }
  if (one != nullptr) return;
  EXPECT_GT(acknowledged, count * 100);
  EXPECT_GT(refused, count);  // the device is small enough to run full
}

}  // namespace
}  // namespace kiseki::chunk
