// Pools by seed: devices die, hang, crawl, rot and come back empty while chunks are put, touched and read.
// What was acknowledged is read as long as k of its fragments stand on devices that answer; nothing else ever
// is.

#include <bit>
#include <gtest/gtest.h>

#include "chunk/testing/pool_world.h"
#include "sim/simulation.h"

namespace kiseki::chunk {
namespace {

constexpr std::array profiles{Profile{4, 2}, Profile{8, 3}, Profile{2, 1}, Profile{1, 2}, Profile{5, 4}};

class Run {
 public:
  explicit Run(const sim::Schedule& schedule)
      : schedule_(schedule),
        rng_(schedule.seed),
        profile_(profiles[schedule.seed % profiles.size()]),
        world_(profile_, profile_.data + profile_.parity + rng_.below(4)) {}

  /// What went wrong; empty: nothing.
  std::string run() {
    for (const sim::Step& step : schedule_.steps) {
      rng_ = SeededRng(step.argument);
      act();
      if (!violation_.empty()) return violation_;
    }
    for (auto& device : world_.devices) device->come_back();
    for (const Known& known : chunks_) check(known, {0, known.chunk->tags.size()});
    return violation_;
  }

 private:
  struct Known {
    SealedChunkPtr chunk;
    std::uint32_t durable = 0;  ///< Indexes that are there for sure, and good.
    std::uint32_t rotten = 0;
  };

  void act() {
    const std::uint64_t what = rng_.below(8);
    if (what < 2) return put();
    if (what == 2) return touch();
    if (what == 3) return harm();
    if (what == 4) return world_.devices[rng_.below(world_.devices.size())]->come_back();
    read();
  }

  void put() {
    if (chunks_.empty() || rng_.below(3) > 0) {
      const Bytes length = rng_.below(3) == 0 ? 1 + rng_.below(60'000) : 1 + rng_.below(400'000);
      chunks_.push_back({make_coded_chunk(next_++, profile_, length)});
      put(chunks_.back());
    } else {
      put(chunks_[rng_.below(chunks_.size())]);
    }
  }

  void put(Known& known) {
    const auto reply = world_.put(known.chunk);
    if (!reply) return;
    const std::size_t count = fragment_count(known.chunk->format);
    const std::uint32_t all = static_cast<std::uint32_t>((std::uint64_t{1} << count) - 1);
    const auto counted = static_cast<std::size_t>(std::popcount(all & ~reply->missing));
    if (counted < detail::fewest(known.chunk->format)) violate("a put counted too few indexes");
    if (reply->put == Put::conflict) violate("a chunk is in conflict with itself");
    known.durable |= all & ~reply->missing & ~known.rotten;
  }

  void touch() {
    if (chunks_.empty()) return;
    Known& known = chunks_[rng_.below(chunks_.size())];
    static_cast<void>(world_.loop.get(world_.store->touch(known.chunk->name.ns, reference_to(*known.chunk))));
  }

  void harm() {
    const std::size_t number = rng_.below(world_.devices.size());
    FaultyDevice& device = *world_.devices[number];
    switch (rng_.below(5)) {
      case 0:
        device.die();
        break;
      case 1:
        device.hang();
        break;
      case 2:
        device.be_slow(std::chrono::milliseconds(1 + rng_.below(4000)));
        break;
      case 3:
        lose_all(number);
        break;
      default:
        rot();
    }
  }

  /// Another disk in its place.
  void lose_all(std::size_t number) {
    world_.devices[number]->forget_all();
    for (Known& known : chunks_) {
      const std::uint32_t lost =
          indexes_on(known, [&](FaultyDevice& device) { return &device == world_.devices[number].get(); });
      known.durable &= ~lost;
      known.rotten &= ~lost;
    }
  }

  void rot() {
    if (chunks_.empty()) return;
    Known& known = chunks_[rng_.below(chunks_.size())];
    const auto index = static_cast<std::uint8_t>(rng_.below(fragment_count(known.chunk->format)));
    FaultyDevice& device = world_.device_of(*known.chunk, index);
    if (!device.memory().holds({known.chunk->name, index})) return;
    device.rot({known.chunk->name, index});
    known.durable &= ~(std::uint32_t{1} << index);
    known.rotten |= std::uint32_t{1} << index;
  }

  void read() {
    if (chunks_.empty()) return;
    const Known& known = chunks_[rng_.below(chunks_.size())];
    const std::size_t first = rng_.below(known.chunk->tags.size());
    check(known, {first, 1 + rng_.below(known.chunk->tags.size() - first)});
  }

  void check(const Known& known, BlockRange blocks) {
    const auto found = world_.read(*known.chunk, blocks);
    if (found) {
      const Bytes from = blocks.first * block_size(known.chunk->format);
      const View right = known.chunk->ciphertext.view().subspan(from, found->ciphertext.size());
      const auto tags = std::span(known.chunk->tags).subspan(blocks.first, blocks.count);
      if (!equal(found->ciphertext.view(), right) || !std::ranges::equal(found->tags, tags)) {
        violate("wrong bytes were served");
      }
      return;
    }
    const std::uint32_t there =
        known.durable & indexes_on(known, [](FaultyDevice& device) { return device.answers(); });
    if (std::popcount(there) >= known.chunk->format.data) {
      violate(
          fmt::format("blocks {} + {} of a chunk of {} bytes, {}+{}, were not read though {:b} are there: {}",
                      blocks.first, blocks.count, known.chunk->ciphertext.size(), known.chunk->format.data,
                      known.chunk->format.parity, there, found.error().to_string()));
    }
  }

  template <class Wanted>
  std::uint32_t indexes_on(const Known& known, Wanted wanted) {
    std::uint32_t indexes = 0;
    for (std::size_t i = 0; i < fragment_count(known.chunk->format); ++i) {
      if (wanted(world_.device_of(*known.chunk, i))) indexes |= std::uint32_t{1} << i;
    }
    return indexes;
  }

  void violate(std::string what) {
    if (violation_.empty()) violation_ = std::move(what);
  }

  const sim::Schedule& schedule_;
  SeededRng rng_;
  Profile profile_;
  PoolWorld world_;
  std::vector<Known> chunks_;
  std::uint64_t next_ = 1;
  std::string violation_;
};

class PoolSimulation final : public sim::Simulation {
 public:
  sim::Schedule plan(std::uint64_t seed) const override {
    sim::Schedule schedule{.seed = seed, .steps = {}};
    SeededRng rng(seed);
    for (int i = 0; i < 120; ++i) schedule.steps.push_back({{}, "step", rng.next()});
    return schedule;
  }
  std::string run(const sim::Schedule& schedule, sim::Trace&) const override { return Run(schedule).run(); }
};

TEST(PoolSimulation, reads_what_was_acknowledged_and_nothing_else) {
  const auto finding = sim::find_violation(PoolSimulation(), sim::Seeds::from_environment(200));
  ASSERT_FALSE(finding) << finding->to_string();
}

TEST(PoolSimulation, notices_a_commit_that_counts_too_little) {
  EXPECT_EQ(
      sim::unnoticed("8.4 a commit counts one index too few", {.first = 0, .count = 100}, PoolSimulation()),
      "");
}

}  // namespace
}  // namespace kiseki::chunk
