#pragma once

#include "fs/testing/memory_world.h"

namespace kiseki::fs {

/// A garbage round begins when its body has ended: all chunks of it were put before.
class LateSource final : public Source {
 public:
  static constexpr GcEpoch epoch{3};

  LateSource(MemoryWorld& world, Bytes size) : world_(world), inner_(1, size) {}
  std::optional<Bytes> size() const override { return inner_.size(); }
  Task<Result<std::size_t>> read(MutableView into) override {
    auto count = co_await inner_.read(into);
    if (!count || *count > 0) co_return count;
    (void)co_await world_.device.raise_epoch(epoch);
    world_.shards.raise_chunk_epoch(epoch);
    co_return count;
  }
  Result<Properties> finish() override { return inner_.finish(); }

 private:
  MemoryWorld& world_;
  PatternSource inner_;
};

/// A namespace on a world in memory, and what must be stored in it.
class StoredBodies : public testing::Test {
 public:
  static constexpr Bytes paged_size = 9 * 4_MiB;  // more references than an entry holds

  struct Pattern {
    std::uint64_t seed;
    Bytes size;
  };

  /// The object is the patterns, one after the other.
  void expect_object(Gateway& on, NamespaceId in, std::string name, const std::vector<Pattern>& patterns) {
    auto object = on.get(on.objects.open(in, std::move(name)));
    ASSERT_TRUE(object) << object.error().to_string();
    Bytes start = 0;
    for (const auto& [seed, size] : patterns) {
      for (Bytes at = 0; at < size;) {
        auto bytes = on.get((*object)->read(start + at, size - at));
        ASSERT_TRUE(bytes) << bytes.error().to_string();
        ASSERT_GT(bytes->size(), 0U);
        ASSERT_TRUE(PatternSource::matches(seed, at, bytes->view())) << seed << " " << at;
        at += bytes->size();
      }
      start += size;
    }
    ASSERT_EQ((*object)->attributes().size, start);
    EXPECT_EQ(on.get((*object)->read(start, 1)).error().code(), Errc::out_of_range);
  }

  /// Sweeps, and counts the rows left besides entries; none waits for a sweep.
  void expect_rows(const std::vector<std::pair<shard::Kind, std::size_t>>& rows) {
    Gateway sweeping(world);
    EXPECT_TRUE(sweeping.get(sweeping.sweep()));
    for (const auto& [kind, count] : rows) EXPECT_EQ(world.shards.count(kind), count);
    EXPECT_EQ(world.shards.count(shard::Kind::garbage), 0U);
    EXPECT_EQ(world.shards.count(shard::Kind::pending), 0U);
  }
  void expect_rows(std::size_t inline_rows, std::size_t pages) {
    expect_rows({{shard::Kind::inline_data, inline_rows}, {shard::Kind::map_page, pages}});
  }

  MemoryWorld world;
  Gateway gateway{world};
  NamespaceId ns = gateway.make_namespace("bucket");
};

}  // namespace kiseki::fs
