#include "fs/objects/listing.h"

#include <set>

#include "fs/testing/memory_world.h"

namespace kiseki::fs::detail {
namespace {

/// What S3 says a list is, over all keys.
std::vector<std::pair<std::string, bool>> model(const std::set<std::string>& keys,
                                                const ListRequest& request) {
  std::vector<std::pair<std::string, bool>> items;
  for (const std::string& key : keys) {
    if (!key.starts_with(request.prefix) || key <= request.after) continue;
    const auto slash = request.by_directory ? key.find('/', request.prefix.size()) : std::string::npos;
    if (slash == std::string::npos) {
      items.emplace_back(key, false);
      continue;
    }
    const std::string item = key.substr(0, slash + 1);
    if (item == request.after) continue;
    if (items.empty() || items.back().first != item || !items.back().second) items.emplace_back(item, true);
  }
  return items;
}

TreeLimits small_leaves() {
  TreeLimits limits;
  limits.entries_split = 8;
  return limits;
}

MemoryShards::Options small_shards() {
  MemoryShards::Options options;
  options.entries_max = 16;
  return options;
}

class ListingTest : public testing::Test {
 public:
  explicit ListingTest(std::uint64_t seed = 1) : world(seed, small_shards()) {}

  void put(const std::string& key) {
    PatternSource source(1, 3);
    const auto done = gateway.get(gateway.objects.put(ns, key, source, {}));
    ASSERT_TRUE(done) << done.error().to_string();
    keys.insert(key);
  }
  void remove(const std::string& key) {
    ASSERT_TRUE(gateway.get(gateway.objects.remove(ns, key, {})));
    keys.erase(key);
  }

  void check(const ListRequest& request) {
    const auto expected = model(keys, request);
    const auto reply = gateway.get(list_objects(gateway.tree, ns, request));
    ASSERT_TRUE(reply) << reply.error().to_string();
    const std::size_t count = std::min<std::size_t>(expected.size(), request.limit);
    const std::string words = fmt::format("prefix '{}' after '{}' limit {} by_directory {}", request.prefix,
                                          request.after, request.limit, request.by_directory);
    ASSERT_EQ(reply->items.size(), count) << words;
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(reply->items[i].name, expected[i].first) << words;
      EXPECT_EQ(reply->items[i].is_prefix, expected[i].second) << words;
      if (!reply->items[i].is_prefix) EXPECT_EQ(reply->items[i].attributes.size, 3U);
    }
    if (request.limit > 0) EXPECT_EQ(reply->truncated, expected.size() > request.limit) << words;
  }

  /// Page after page gives every item once.
  void check_pages(ListRequest request) {
    const auto expected = model(keys, request);
    std::vector<std::pair<std::string, bool>> items;
    for (bool more = true; more;) {
      const auto reply = gateway.get(list_objects(gateway.tree, ns, request));
      ASSERT_TRUE(reply);
      for (const auto& item : reply->items) items.emplace_back(item.name, item.is_prefix);
      more = reply->truncated;
      if (more) request.after = reply->items.back().name;
    }
    EXPECT_EQ(items, expected);
  }

  MemoryWorld world;
  Gateway gateway{world, small_leaves()};
  NamespaceId ns = gateway.make_namespace("bucket");
  std::set<std::string> keys;
};

TEST_F(ListingTest, of_nothing_is_empty) {
  check({});
  check({.prefix = "a/b/", .by_directory = true, .after = {}, .limit = 10});
  EXPECT_EQ(gateway.get(list_objects(gateway.tree, NamespaceId{99}, {})).error().code(), Errc::not_found);
  put("a");
  check({.prefix = {}, .by_directory = false, .after = {}, .limit = 0});
}

TEST_F(ListingTest, is_in_byte_order_of_whole_keys) {
  for (const char* key : {"a", "a-b", "a.b", "a/b", "a/", "a//", "a//b", "a0", "a/b/c", "/", "//", "/a",
                          "\xc3\xa9", "\xff", "\x01", "Z", "z/\xff/y", "z/\x01"}) {
    put(key);
  }
  check({});
  check({.prefix = {}, .by_directory = true, .after = {}, .limit = 1000});
  for (const std::string& after : std::set<std::string>(keys)) {
    check({.prefix = {}, .by_directory = false, .after = after, .limit = 3});
    check({.prefix = {}, .by_directory = true, .after = after, .limit = 3});
    check({.prefix = after, .by_directory = true, .after = {}, .limit = 1000});
    check(
        {.prefix = after.substr(0, after.size() - 1), .by_directory = false, .after = after, .limit = 1000});
  }
}

TEST_F(ListingTest, skips_what_lies_below_a_prefix_it_ended_with) {
  for (const char* key : {"a/1", "a/2", "b/1/x", "b/2", "c"}) put(key);
  check({.prefix = {}, .by_directory = true, .after = "a/", .limit = 1000});
  check({.prefix = {}, .by_directory = true, .after = "a/1", .limit = 1000});
  check({.prefix = {}, .by_directory = true, .after = "a/2", .limit = 1000});
  check({.prefix = "b/", .by_directory = true, .after = "b/1/", .limit = 1000});
  check({.prefix = "b/", .by_directory = true, .after = "b/1/x", .limit = 1000});
  check({.prefix = {}, .by_directory = false, .after = "a/", .limit = 1000});
}

TEST_F(ListingTest, hides_prefixes_without_objects) {
  for (const char* key : {"a/b/c/d", "a/b/x", "e/f"}) put(key);
  remove("a/b/c/d");
  check({.prefix = "a/b/", .by_directory = true, .after = {}, .limit = 10});
  remove("a/b/x");
  check({.prefix = {}, .by_directory = true, .after = {}, .limit = 1});
  check({.prefix = "a/", .by_directory = true, .after = {}, .limit = 10});
}

TEST_F(ListingTest, goes_down_deep_trees_and_back) {
  std::string path;
  for (int depth = 0; depth < 30; ++depth) {
    put(path + "m");
    put(path + "zz/1");
    path += "n/";
  }
  check({});
  check_pages({.prefix = {}, .by_directory = false, .after = {}, .limit = 7});
  put(std::string(1000, '/') + "x");
  check({});
}

/// Counts what lists read.
class CountingClient final : public ForwardingClient {
 public:
  using ForwardingClient::ForwardingClient;
  Task<Result<shard::ReadReply>> read(shard::ReadRequest request) override {
    auto reply = co_await ForwardingClient::read(std::move(request));
    ++reads;
    for (const auto& scan : reply->scans) rows += scan.rows.size();
    co_return reply;
  }
  std::size_t reads = 0, rows = 0;
};

TEST_F(ListingTest, costs_the_same_anywhere_in_a_directory_of_any_size) {
  for (int i = 0; i < 1000; ++i) put(fmt::format("d/{:05}", i));
  for (int i = 0; i < 100; ++i) put(fmt::format("d/{:05}/x", i * 10));
  auto client = std::make_unique<CountingClient>(world.shards.connect());
  CountingClient& counting = *client;
  Gateway lists(world, std::move(client), small_leaves());
  for (const std::string after : {"", "d/00001", "d/00500", "d/00998"}) {
    ListRequest request{.prefix = "d/", .by_directory = true, .after = after, .limit = 5};
    ASSERT_TRUE(lists.get(list_objects(lists.tree, ns, request)));
    counting.reads = counting.rows = 0;
    ASSERT_TRUE(lists.get(list_objects(lists.tree, ns, request)));
    EXPECT_LE(counting.reads, 6U) << after;
    EXPECT_LE(counting.rows, 50U) << after;
  }
}

class ListingSeeds : public ListingTest, public testing::WithParamInterface<std::uint64_t> {
 public:
  ListingSeeds() : ListingTest(GetParam()) {}

  std::string component() {
    static constexpr const char* pieces[] = {"",         "a",    "b",    "-",  ".", "0",
                                             "\xc3\xa9", "\xff", "\x01", "ab", "/"};
    std::string text;
    for (auto parts = world.rng.below(4); parts > 0; --parts)
      text += pieces[world.rng.below(std::size(pieces))];
    return text;
  }
  std::string path() {
    std::string text = component();
    for (auto depth = world.rng.below(4); depth > 0; --depth) text += "/" + component();
    return text;
  }
};

TEST_P(ListingSeeds, agree_with_the_model) {
  for (int i = 0; i < 150; ++i) {
    const std::string key = path();
    if (!key.empty()) put(key);
  }
  for (int i = 0; i < 40; ++i)
    remove(*std::next(keys.begin(), static_cast<long>(world.rng.below(keys.size()))));
  for (int i = 0; i < 150; ++i) {
    ListRequest request;
    if (world.rng.below(3) > 0) request.prefix = path();
    if (world.rng.below(2) > 0) {
      const std::string key = *std::next(keys.begin(), static_cast<long>(world.rng.below(keys.size())));
      request.prefix = key.substr(0, world.rng.below(key.size() + 1));
    }
    if (world.rng.below(2) > 0) request.after = path();
    if (world.rng.below(3) == 0) request.after = request.prefix + component();
    request.by_directory = world.rng.below(2) > 0;
    request.limit = static_cast<std::uint32_t>(1 + world.rng.below(20));
    check(request);
  }
  check_pages({.prefix = {}, .by_directory = false, .after = {}, .limit = 9});
  check_pages({.prefix = {}, .by_directory = true, .after = {}, .limit = 2});
}

INSTANTIATE_TEST_SUITE_P(Listing, ListingSeeds, testing::Range<std::uint64_t>(1, 13));

TEST_F(ListingTest, shows_at_once_what_another_gateway_changed) {
  for (int i = 0; i < 40; ++i) put("k" + std::to_string(i));
  check({});
  Gateway other(world, small_leaves());
  SeededRng rng(5);
  for (int round = 0; round < 200; ++round) {
    const std::string key = "k" + std::to_string(rng.below(60));
    if (rng.below(2) == 0) {
      PatternSource source(1, 3);
      ASSERT_TRUE(other.get(other.objects.put(ns, key, source, {})));
      keys.insert(key);
    } else {
      ASSERT_TRUE(other.get(other.objects.remove(ns, key, {})));
      keys.erase(key);
    }
    check({});
  }
}

TEST_F(ListingTest, shows_the_attributes_of_an_object_that_was_replaced) {
  put("k");
  check({});
  Gateway other(world, small_leaves());
  PatternSource source(2, 30);
  ASSERT_TRUE(other.get(other.objects.put(ns, "k", source, {})));
  const auto reply = gateway.get(list_objects(gateway.tree, ns, {}));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->items.front().attributes.size, 30U);
}

TEST_F(ListingTest, entries_of_other_types_are_not_shown) {
  put("a");
  put("c");
  for (const auto type : {shard::EntryType::symbolic_link, shard::EntryType::file}) {
    const auto slot = gateway.get(gateway.tree.find(ns, "b" + std::to_string(int(type)), Purpose::write));
    ASSERT_TRUE(slot);
    shard::Record record;
    record.type = type;
    record.home = slot->home();
    gateway.tree.seal_entry(*slot, record, "of another format");
    auto transaction = gateway.tree.begin(*slot);
    transaction.put(slot->key, std::move(record));
    ASSERT_TRUE(gateway.get(gateway.tree.commit(*slot, std::move(transaction)))->committed());
  }
  check({});
}

}  // namespace
}  // namespace kiseki::fs::detail
