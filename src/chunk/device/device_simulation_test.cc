// Random schedules of puts, touches, reads, deletes, power cuts and kills, by seed.

#include <gtest/gtest.h>

#include "base/scope.h"
#include "chunk/testing/device_world.h"
#include "sim/simulation.h"

namespace kiseki::chunk {
namespace {

/// What the callers of one chunk know. One write of it is under way at a time; reads come in between.
struct Known {
  SealedChunkPtr chunk;
  bool present = false;
  std::uint64_t epoch = 0;  // acknowledged last put
  bool busy = false;        // a write is under way; after a crash its outcome is open
  bool busy_erasing = false;
  std::uint64_t changes = 0;
};

class Run {
 public:
  explicit Run(const sim::Schedule& schedule)
      : schedule_(schedule),
        rng_(schedule.seed * 2 + 1),
        world_(schedule.seed, World::small(4 + schedule.seed % 9)) {
    for (std::uint64_t i = 0; i < 30; ++i) {
      const Bytes length = 1 + rng_.below(rng_.below(4) == 0 ? 150'000 : 15'000);
      known_.push_back({.chunk = make_chunk(i, length)});
    }
  }

  std::string run() {
    open();
    for (const auto& life : schedule_.steps) {
      if (!violation_.empty()) break;
      rng_ = SeededRng(life.argument);
      live();
      die();
      if (violation_.empty()) check();
    }
    if (violation_.empty()) check_that_space_returns();
    if (world_.device) world_.stop();
    return violation_;
  }

 private:
  void expect(bool holds, std::string_view otherwise) {
    if (!holds && violation_.empty()) violation_ = otherwise;
  }

  void open() {
    auto opened = world_.loop.get(world_.start());
    expect(opened.has_value(), opened ? "" : opened.error().to_string());
    if (opened) world_.device = std::move(*opened);
  }

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
      expect(world_.loop.run_until([&ended] { return ended; }), "a start does not end");
      world_.end(rng_.next());
    }
    if (rng_.below(8) == 0) {
      world_.lose_index();
      is_rebuilt_ = true;
    }
    open();
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
        co_await raise();
      } else if (choice < 40 || known.busy) {
        co_await read(known);
      } else if (choice < 70) {
        co_await put(known);
      } else {
        co_await erase(known);
      }
    }
  }

  Task<> raise() {
    const std::uint64_t epoch = 1 + rng_.below(5);
    const auto raised = co_await world_.device->raise_epoch(GcEpoch(epoch));
    if (raised) epoch_ = std::max(epoch_, epoch);
  }

  Task<> read(Known& known) {
    const bool present = known.present && !known.busy;
    const bool absent = !known.present && !known.busy;
    const std::uint64_t changes = known.changes;
    const std::size_t blocks = known.chunk->tags.size();
    const std::size_t first = rng_.below(blocks);
    const std::size_t count = 1 + rng_.below(blocks - first);
    const auto found =
        co_await world_.device->read(key_of(*known.chunk), reference_to(*known.chunk), {first, count});
    if (dead_) co_return;
    const bool steady = changes == known.changes && !known.busy;
    if (!found) {
      expect(found.error().code() == Errc::not_found, found.error().to_string());
      expect(!(present && steady), "an acknowledged chunk is gone");
      co_return;
    }
    expect(!(absent && steady), "a deleted chunk is there");
    const View all = known.chunk->ciphertext.view();
    const Bytes from = first * block_size(known.chunk->format);
    const Bytes length = std::min<Bytes>(all.size() - from, count * block_size(known.chunk->format));
    expect(equal(found->ciphertext.view(), all.subspan(from, length)), "wrong bytes");
  }

  Task<> put(Known& known) {
    known.busy = true;
    known.busy_erasing = false;
    ++known.changes;
    const std::uint64_t least = epoch_;
    const auto reply = co_await world_.device->put(copy_of(known.chunk, 0));
    if (!reply) {
      expect(dead_ || reply.error().code() == Errc::no_space, reply.error().to_string());
      if (!dead_) known.busy = false;
      if (!dead_) ++refused;
      co_return;
    }
    // What was acknowledged after the machine died came to pass before it.
    expect(reply->put == (known.present ? Put::touched : Put::stored), "a put found what is not so");
    expect(reply->epoch >= GcEpoch(least), "a put is stamped with less than the device's epoch");
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
    const auto erased = co_await world_.device->erase_aged({key_of(*known.chunk)}, GcEpoch(below));
    if (!erased) {
      expect(dead_, erased.error().to_string());
      co_return;
    }
    if (erased->front()) {
      expect(known.epoch < below, "deleted what was put since");
      known.present = false;
      known.epoch = 0;
    }
    known.busy = false;
  }

  void check() {
    expect(world_.space_violation().empty(), "fragments overlap, or usage is no sum");
    expect(world_.loop.get(world_.device->epoch()).value() >= GcEpoch(epoch_),
           "an acknowledged epoch is lost");
    for (Known& known : known_) {
      if (!violation_.empty()) return;
      const auto found = world_.read(*known.chunk);
      if (!found) {
        expect(found.error().code() == Errc::not_found, found.error().to_string());
        expect(!known.present || (known.busy && known.busy_erasing), "an acknowledged chunk is lost");
        known.present = false;
        known.epoch = 0;
      } else {
        // The record of a delete may be gone with its region: then the next round deletes again.
        expect(known.present || (known.busy && !known.busy_erasing) || is_rebuilt_,
               "a deleted chunk came back");
        expect(equal(found->ciphertext.view(), known.chunk->ciphertext.view()), "wrong bytes");
        expect(found->tags == known.chunk->tags, "wrong tags");
        expect(!world_.erase(*known.chunk, known.epoch).value_or(true), "an acknowledged touch is lost");
        known.present = true;
      }
      known.busy = false;
    }
    is_rebuilt_ = false;
  }

  void check_that_space_returns() {
    for (const Known& known : known_) static_cast<void>(world_.erase(*known.chunk, 1000));
    expect(world_.status().used == 0, "space is used by nothing");
    const Bytes capacity = world_.status().capacity;
    // 45 % of the device three times over.
    for (std::uint64_t round = 0; round < 3; ++round) {
      std::vector<SealedChunkPtr> chunks;
      for (Bytes used = 0; used < capacity * 45 / 100; used += 104_KiB) {
        chunks.push_back(make_chunk(1000 + chunks.size() + round * 100, 100_KiB));
        const auto reply = world_.put(chunks.back());
        expect(reply.has_value(), "freed space is not used again");
        if (!reply) return;
      }
      for (const auto& chunk : chunks) expect(world_.erase(*chunk, 1000).value_or(false), "a delete fails");
    }
    expect(world_.space_violation().empty(), "fragments overlap, or usage is no sum");
  }

  const sim::Schedule& schedule_;
  SeededRng rng_;
  World world_;
  std::string violation_;
  std::uint64_t epoch_ = 0;  // acknowledged
  std::vector<Known> known_;
  bool stopping_ = false;
  bool dead_ = false;
  bool is_rebuilt_ = false;  // from the fragments alone, since the last check

 public:
  std::uint64_t acknowledged = 0;
  std::uint64_t refused = 0;
};

class DeviceSimulation final : public sim::Simulation {
 public:
  sim::Schedule plan(std::uint64_t seed) const override {
    sim::Schedule schedule{.seed = seed, .steps = {}};
    SeededRng rng(seed);
    for (int life = 0; life < 3; ++life) schedule.steps.push_back({{}, "life", rng.next()});
    return schedule;
  }

  std::string run(const sim::Schedule& schedule, sim::Trace&) const override {
    Run run(schedule);
    std::string words = run.run();
    acknowledged += run.acknowledged;
    refused += run.refused;
    return words;
  }

  mutable std::uint64_t acknowledged = 0, refused = 0;
};

TEST(DeviceSimulation, loses_and_tears_nothing_acknowledged) {
  const DeviceSimulation simulation;
  const auto seeds = sim::Seeds::from_environment(960);
  const auto finding = sim::find_violation(simulation, seeds);
  ASSERT_FALSE(finding) << finding->to_string();
  if (seeds.count < 10) return;
  EXPECT_GT(simulation.acknowledged, seeds.count * 100);
  EXPECT_GT(simulation.refused, 0U);  // the device is small enough to run full
}

class PlantedDevice : public ::testing::TestWithParam<const char*> {};

TEST_P(PlantedDevice, is_noticed) {
  EXPECT_EQ(sim::unnoticed(GetParam(), {.first = 0, .count = 300}, DeviceSimulation()), "");
}

INSTANTIATE_TEST_SUITE_P(Planted, PlantedDevice,
                         ::testing::Values("6.4 a put is visible before its bytes are flushed",
                                           "6.4 a rebuilt index trusts the epochs it finds",
                                           "6.4 a region closes without an index flush",
                                           "6.4 a scan takes a fragment without verifying it",
                                           "6.4 a scan does not repeat touches and deletes",
                                           "6.5 a put is stamped with less than the device's epoch",
                                           "6.5 a touch does not raise the last put",
                                           "6.5 an epoch is acknowledged before it is durable",
                                           "6.6 a device deletes without looking at the last put"));

}  // namespace
}  // namespace kiseki::chunk
