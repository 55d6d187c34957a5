#include "shard/rows/row_cache.h"

#include <gtest/gtest.h>

#include "shard/rows/draft.h"
#include "sim/crashable_kv.h"

namespace kiseki::shard::detail {
namespace {

TEST(RowCache, knows_what_is_there_and_what_is_not) {
  RowCache cache;
  EXPECT_EQ(cache.find(family_rows, "a"), nullptr);
  cache.put(family_rows, "a", "1");
  cache.put(family_state, "a", std::nullopt);
  EXPECT_EQ(*cache.find(family_rows, "a"), "1");
  EXPECT_EQ(*cache.find(family_state, "a"), std::nullopt);
  cache.put(family_rows, "a", std::nullopt);
  EXPECT_EQ(*cache.find(family_rows, "a"), std::nullopt);
  cache.drop(family_rows, "a");
  EXPECT_EQ(cache.find(family_rows, "a"), nullptr);
}

TEST(RowCache, stays_within_its_bytes_and_keeps_what_was_used_last) {
  RowCache cache;
  cache.put(family_rows, "used", "1");
  for (std::size_t i = 0; i < 2000; ++i) {
    cache.put(family_rows, std::to_string(i), std::string(16_KiB, 'v'));
    ASSERT_NE(cache.find(family_rows, "used"), nullptr);
    ASSERT_LE(cache.size(), RowCache::size_max);
  }
  EXPECT_EQ(cache.find(family_rows, "0"), nullptr);
  EXPECT_NE(cache.find(family_rows, "1999"), nullptr);
}

TEST(RowCache, an_update_changes_what_is_known_and_adds_nothing) {
  RowCache cache;
  cache.put(family_rows, "a", "1");
  cache.update(family_rows, "a", "2");
  cache.update(family_rows, "b", "2");
  EXPECT_EQ(*cache.find(family_rows, "a"), "2");
  EXPECT_EQ(cache.find(family_rows, "b"), nullptr);
}

TEST(RowCache, forgets_a_row_that_becomes_too_large) {
  RowCache cache;
  cache.put(family_rows, "a", "1");
  cache.put(family_rows, "a", std::string(RowCache::row_max + 1, 'v'));
  EXPECT_EQ(cache.find(family_rows, "a"), nullptr);
  EXPECT_EQ(cache.size(), 0U);
}

TEST(Draft, has_no_rows_of_references_in_the_cache) {
  sim::CrashableKv store(family_count);
  RowCache cache;
  Draft draft(store, &cache);
  EXPECT_EQ(draft.get(family_references, "a").value(), std::nullopt);
  draft.put(family_references, "a", "1");
  ASSERT_TRUE(draft.write());
  EXPECT_EQ(cache.find(family_references, "a"), nullptr);
  EXPECT_EQ(draft.get(family_references, "a").value(), "1");
}

TEST(Draft, reads_through_the_cache_and_tells_it_what_it_writes) {
  sim::CrashableKv store(family_count);
  RowCache cache;
  Draft first(store, &cache);
  EXPECT_EQ(first.get(family_rows, "a").value(), std::nullopt);
  first.put(family_rows, "a", "1");
  first.put(family_rows, "large", std::string(RowCache::row_max + 1, 'v'));
  EXPECT_EQ(Draft(store, &cache).get(family_rows, "a").value(), std::nullopt);
  ASSERT_TRUE(first.write());
  EXPECT_EQ(*cache.find(family_rows, "a"), "1");
  Draft second(store, &cache);
  EXPECT_EQ(second.get(family_rows, "a").value(), "1");
  EXPECT_EQ(second.get(family_rows, "large").value()->size(), RowCache::row_max + 1);
  second.erase(family_rows, "a");
  ASSERT_TRUE(second.write());
  EXPECT_EQ(Draft(store, &cache).get(family_rows, "a").value(), std::nullopt);
}

}  // namespace
}  // namespace kiseki::shard::detail
