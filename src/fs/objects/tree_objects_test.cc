#include "fs/objects/tree_objects.h"

#include "base/planted.h"
#include "fs/testing/forwarding_client.h"
#include "fs/testing/stored_bodies.h"

namespace kiseki::fs::detail {
namespace {

constexpr std::string_view key = "photos/2026/november.raw";

class ObjectsTest : public StoredBodies {
 public:
  Result<Attributes> put(Gateway& on, std::string name, std::uint64_t seed, Bytes size,
                         Condition condition = {}) {
    PatternSource source(seed, size);
    return on.get(on.objects.put(ns, std::move(name), source, std::move(condition)));
  }
  Result<Attributes> put(std::string name, std::uint64_t seed, Bytes size) {
    return put(gateway, std::move(name), seed, size);
  }

  void expect(Gateway& on, std::string name, std::uint64_t seed, Bytes size) {
    expect_object(on, ns, std::move(name), {{seed, size}});
  }
  void expect(std::string name, std::uint64_t seed, Bytes size) {
    expect(gateway, std::move(name), seed, size);
  }
};

class ObjectSizes : public ObjectsTest, public testing::WithParamInterface<Bytes> {};

TEST_P(ObjectSizes, come_back_as_they_were_put) {
  const Bytes size = GetParam();
  for (const bool says_size : {true, false}) {
    PatternSource source(size + says_size, size, says_size, says_size ? 1_MiB : 60'001);
    source.properties.headers = {{"content-type", "text/plain"}};
    source.properties.metadata = {{"colour", "blue"}, {"empty", ""}};
    const auto put = gateway.get(gateway.objects.put(ns, std::string(key), source, {}));
    ASSERT_TRUE(put) << put.error().to_string();
    EXPECT_EQ(put->size, size);
    const auto stat = gateway.get(gateway.objects.stat(ns, std::string(key)));
    EXPECT_EQ(stat->size, size);
    EXPECT_EQ(stat->modified_ms, put->modified_ms);
    EXPECT_EQ(stat->properties.etag, source.properties.etag);
    EXPECT_EQ(stat->properties.metadata, source.properties.metadata);
    expect(std::string(key), size + says_size, size);
  }
  EXPECT_EQ(world.memory.held(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Objects, ObjectSizes,
                         testing::Values(0, 1, 512, 513, 16_KiB, 16_KiB + 1, 4_MiB - 1, 4_MiB, 4_MiB + 1,
                                         4_MiB + 64_KiB - 1, 4_MiB + 64_KiB, 33_MiB, 40 * 4_MiB));

class ReadCounter final : public ForwardingClient {
 public:
  ReadCounter(std::unique_ptr<shard::Client> inner, std::size_t& reads)
      : ForwardingClient(std::move(inner)), reads_(reads) {}
  Task<Result<shard::ReadReply>> read(shard::ReadRequest request) override {
    ++reads_;
    return ForwardingClient::read(std::move(request));
  }

 private:
  std::size_t& reads_;
};

TEST_F(ObjectsTest, a_new_object_of_a_known_leaf_is_put_without_a_look) {
  std::size_t reads = 0;
  Gateway on(world, std::make_unique<ReadCounter>(world.shards.connect(), reads), {});
  const auto reads_of_put = [&](std::string name, std::uint64_t seed) {
    reads = 0;
    EXPECT_TRUE(put(on, name, seed, 100));
    expect_object(gateway, ns, std::move(name), {{seed, 100}});
    return reads;
  };
  EXPECT_GT(reads_of_put("first", 1), 0U);
  EXPECT_EQ(reads_of_put("new", 2), 0U);
  // Whoever overwrites learns it from the shard, and looks first for a while.
  ASSERT_TRUE(put("others", 3, 100));
  EXPECT_EQ(reads_of_put("others", 4), 1U);
  EXPECT_EQ(reads_of_put("others", 5), 1U);
  for (int i = 0; i < 20; ++i) reads_of_put("more" + std::to_string(i), 6);
  EXPECT_EQ(reads_of_put("last", 7), 0U);
  const auto refused = put(on, "last", 8, 100, {.absent = true, .etag = {}});
  EXPECT_EQ(refused.error().code(), Errc::precondition_failed);
}

TEST_F(ObjectsTest, small_tails_go_with_the_piece_before) {
  ASSERT_TRUE(put("a", 1, 4_MiB + 64_KiB - 1));
  EXPECT_EQ(world.device.count(), 1U);
  ASSERT_TRUE(put("b", 2, 4_MiB + 64_KiB));
  EXPECT_EQ(world.device.count(), 3U);
}

TEST_F(ObjectsTest, a_digest_of_the_source_names_the_piece) {
  for (const bool gives_digest : {false, true}) {
    PatternSource source(1, 100'000);
    source.gives_digest = gives_digest;
    ASSERT_TRUE(gateway.get(gateway.objects.put(ns, gives_digest ? "a" : "b", source, {})));
  }
  EXPECT_EQ(world.device.count(), 1U);
}

/// The chunks of two equal bodies of two pieces; one comes with the digest of the whole.
std::size_t chunks_of_equal_bodies(Gateway& gateway, NamespaceId ns) {
  for (const bool gives_digest : {false, true}) {
    PatternSource source(1, 5_MiB);
    source.gives_digest = gives_digest;
    EXPECT_TRUE(gateway.get(gateway.objects.put(ns, gives_digest ? "a" : "b", source, {})));
  }
  return gateway.world.device.count();
}

TEST_F(ObjectsTest, a_digest_of_a_whole_body_names_none_of_its_pieces) {
  EXPECT_EQ(chunks_of_equal_bodies(gateway, ns), 2U);
}

TEST_F(ObjectsTest, a_digest_of_a_whole_body_that_names_a_piece_is_noticed) {
  const planted::Fault fault("6.1 the digest of a whole body names its first piece");
  EXPECT_NE(chunks_of_equal_bodies(gateway, ns), 2U);
  EXPECT_GT(fault.met(), 0U);
}

TEST_F(ObjectsTest, ranges_anywhere_are_right) {
  ASSERT_TRUE(put("long", 7, paged_size + 12'345));
  auto object = gateway.get(gateway.objects.open(ns, "long"));
  for (int i = 0; i < 200; ++i) {
    const Bytes offset = world.rng.below(paged_size + 12'345);
    const Bytes length = 1 + world.rng.below(200'000);
    auto bytes = gateway.get((*object)->read(offset, length));
    ASSERT_TRUE(bytes);
    ASSERT_LE(bytes->size(), length);
    ASSERT_TRUE(PatternSource::matches(7, offset, bytes->view()));
  }
}

TEST_F(ObjectsTest, replace_each_other_whatever_their_size_and_leave_nothing) {
  const Bytes sizes[] = {0, 100, 10'000, 100'000, paged_size};
  std::uint64_t seed = 0;
  for (const Bytes before : sizes) {
    for (const Bytes after : sizes) {
      ASSERT_TRUE(put("x/y", ++seed, before));
      ASSERT_TRUE(put("x/y", ++seed, after));
      expect("x/y", seed, after);
      expect_rows(after == 10'000 ? 1 : 0, after == paged_size ? 1 : 0);
    }
  }
  ASSERT_TRUE(gateway.get(gateway.objects.remove(ns, "x/y", {})));
  EXPECT_EQ(gateway.get(gateway.objects.stat(ns, "x/y")).error().code(), Errc::not_found);
  expect_rows(0, 0);
}

TEST_F(ObjectsTest, absent_ones_are_not_found_and_removed_at_will) {
  EXPECT_EQ(gateway.get(gateway.objects.stat(ns, "no")).error().code(), Errc::not_found);
  EXPECT_EQ(gateway.get(gateway.objects.open(ns, "no/such/thing")).error().code(), Errc::not_found);
  EXPECT_TRUE(gateway.get(gateway.objects.remove(ns, "no", {})));
  EXPECT_EQ(put("", 1, 1).error().code(), Errc::invalid_argument);
  EXPECT_EQ(put(std::string(1025, 'k'), 1, 1).error().code(), Errc::invalid_argument);
  EXPECT_TRUE(put(std::string(1024, '/'), 1, 1));
  EXPECT_EQ(gateway.get(gateway.objects.stat(NamespaceId{999}, "a")).error().code(), Errc::not_found);
}

TEST_F(ObjectsTest, conditions_are_checked_in_the_commit) {
  Condition absent{.absent = true, .etag = {}};
  Condition any{.absent = false, .etag = "*"};
  Condition first{.absent = false, .etag = "etag-1-100"};
  EXPECT_EQ(put(gateway, "k", 1, 100, any).error().code(), Errc::not_found);
  EXPECT_EQ(gateway.get(gateway.objects.remove(ns, "k", any)).error().code(), Errc::not_found);
  EXPECT_TRUE(put(gateway, "k", 1, 100, absent));
  EXPECT_EQ(put(gateway, "k", 2, 100, absent).error().code(), Errc::precondition_failed);
  EXPECT_TRUE(put(gateway, "k", 2, 100, first));
  EXPECT_EQ(put(gateway, "k", 3, 100, first).error().code(), Errc::precondition_failed);
  EXPECT_EQ(gateway.get(gateway.objects.remove(ns, "k", first)).error().code(), Errc::precondition_failed);
  EXPECT_TRUE(put(gateway, "k", 3, 50, any));
  expect("k", 3, 50);
}

Task<> put_conditionally(ObjectsTest& test, Gateway& on, std::uint64_t seed, Condition condition, int& won) {
  PatternSource source(seed, 20'000);
  const auto done = co_await on.objects.put(test.ns, "race", source, std::move(condition));
  if (done) ++won;
  if (!done) EXPECT_EQ(done.error().code(), Errc::precondition_failed) << done.error().to_string();
}

TEST_F(ObjectsTest, of_many_creates_and_replaces_at_once_one_wins) {
  Gateway other(world);
  for (std::uint64_t round = 0; round < 20; ++round) {
    int created = 0;
    int replaced = 0;
    for (std::uint64_t i = 0; i < 8; ++i) {
      Gateway& on = i % 2 == 0 ? gateway : other;
      world.loop.spawn(put_conditionally(*this, on, i, {.absent = true, .etag = {}}, created));
    }
    world.loop.run();
    EXPECT_EQ(created, 1);
    const auto etag = gateway.get(gateway.objects.stat(ns, "race"))->properties.etag;
    for (std::uint64_t i = 10; i < 18; ++i) {
      Gateway& on = i % 2 == 0 ? gateway : other;
      world.loop.spawn(put_conditionally(*this, on, i, {.absent = false, .etag = etag}, replaced));
    }
    world.loop.run();
    EXPECT_EQ(replaced, 1);
    EXPECT_TRUE(gateway.get(gateway.objects.remove(ns, "race", {})));
  }
  expect_rows(0, 0);
}

Task<> replace_often(ObjectsTest& test, Gateway& on, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    const Bytes sizes[] = {100, 5'000, 50'000};
    PatternSource source(static_cast<std::uint64_t>(i), sizes[i % 3]);
    EXPECT_TRUE(co_await on.objects.put(test.ns, "hot", source, {}));
  }
}

Task<> read_often(ObjectsTest& test, Gateway& on, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    auto object = co_await on.objects.open(test.ns, "hot");
    EXPECT_TRUE(object);
    if (!object) co_return;
    const Attributes& attributes = (*object)->attributes();
    auto bytes = co_await (*object)->read(0, attributes.size);
    EXPECT_TRUE(bytes);
    if (!bytes) co_return;
    const auto seed = std::stoull(attributes.properties.etag.substr(5));
    EXPECT_TRUE(PatternSource::matches(seed, 0, bytes->view()));
  }
}

TEST_F(ObjectsTest, readers_see_one_of_the_versions_whole) {
  Gateway other(world);
  ASSERT_TRUE(put("hot", 0, 100));
  for (int i = 0; i < 4; ++i) world.loop.spawn(replace_often(*this, i % 2 == 0 ? gateway : other, 30));
  for (int i = 0; i < 6; ++i) world.loop.spawn(read_often(*this, i % 2 == 0 ? gateway : other, 60));
  world.loop.run();
}

TEST_F(ObjectsTest, a_damaged_block_is_never_given_out) {
  ASSERT_TRUE(put("d", 1, 200'000));
  auto object = gateway.get(gateway.objects.open(ns, "d"));
  world.device.damage(world.device.names().front(), 70'000);
  EXPECT_EQ(gateway.get((*object)->read(0, 200'000)).error().code(), Errc::corrupted);
  EXPECT_EQ(gateway.get((*object)->read(66'000, 1)).error().code(), Errc::corrupted);
  EXPECT_TRUE(gateway.get((*object)->read(0, 65'536)));
}

TEST_F(ObjectsTest, damaged_records_are_corrupted) {
  ASSERT_TRUE(put("d", 1, 10'000));
  for (shard::Row row : world.shards.rows(shard::Kind::inline_data)) {
    row.record.value = crypto::Sealed::from_store(std::string(10'016, 'x'));
    world.shards.overwrite(row);
  }
  EXPECT_EQ(gateway.get(gateway.objects.open(ns, "d")).error().code(), Errc::corrupted);
}

TEST_F(ObjectsTest, refused_bodies_leave_the_old_object_and_nothing_else) {
  ASSERT_TRUE(put("k", 1, 100));
  for (const Bytes size : {Bytes{100}, Bytes{100'000}, paged_size}) {
    PatternSource bad(2, size);
    bad.bad_digest = true;
    EXPECT_EQ(gateway.get(gateway.objects.put(ns, "k", bad, {})).error().code(), Errc::invalid_argument);
    PatternSource torn(3, size);
    torn.failure = size / 2;
    EXPECT_EQ(gateway.get(gateway.objects.put(ns, "k", torn, {})).error().code(), Errc::cancelled);
    PatternSource wordy(4, size);
    wordy.properties.metadata = {{"long", std::string(9'000, 'x')}};
    EXPECT_EQ(gateway.get(gateway.objects.put(ns, "k", wordy, {})).error().code(), Errc::too_large);
  }
  world.device.refuse_puts(Errc::no_space);
  EXPECT_EQ(put("k", 5, paged_size).error().code(), Errc::no_space);
  expect("k", 1, 100);
  expect_rows(0, 0);
  EXPECT_EQ(world.memory.held(), 0U);
}

/// Says less than it has.
class ModestSource final : public Source {
 public:
  ModestSource(Bytes said, Bytes size) : said_(said), bytes_(1, size) {}
  std::optional<Bytes> size() const override { return said_; }
  Task<Result<std::size_t>> read(MutableView into) override { return bytes_.read(into); }
  Result<Properties> finish() override { return bytes_.finish(); }

 private:
  Bytes said_;
  PatternSource bytes_;
};

TEST_F(ObjectsTest, bodies_longer_than_their_sender_said_are_refused) {
  for (const Bytes said : {Bytes{100}, Bytes{10'000}, Bytes{100'000}, piece_size, 2 * piece_size + 100}) {
    ModestSource longer(said, said + 1);
    EXPECT_EQ(gateway.get(gateway.objects.put(ns, "k", longer, {})).error().code(), Errc::invalid_argument)
        << said;
    ModestSource right(said, said);
    EXPECT_TRUE(gateway.get(gateway.objects.put(ns, "k", right, {})));
    expect("k", 1, said);
  }
}

Task<> put_one(ObjectsTest& test, std::uint64_t seed, int& done) {
  PatternSource source(seed, 33_MiB);
  EXPECT_TRUE(co_await test.gateway.objects.put(test.ns, "b" + std::to_string(seed), source, {}));
  ++done;
}

TEST_F(ObjectsTest, memory_is_bounded_by_the_budget) {
  const Bytes transfers = world.memory.total(MemoryUse::transfer);
  const auto rest = world.memory.try_acquire(MemoryUse::transfer, transfers - 10_MiB);
  int done = 0;
  for (std::uint64_t i = 0; i < 4; ++i) world.loop.spawn(put_one(*this, i, done));
  world.loop.run();
  EXPECT_EQ(done, 4);
  EXPECT_LE(world.device.running_bytes_max, 10_MiB);
  EXPECT_EQ(world.memory.held(), rest->amount());
}

/// A pattern that comes in small steps, a second between them, and at first not at all.
class PausingSource final : public Source {
 public:
  PausingSource(Clock& clock, std::uint64_t seed, Bytes size)
      : clock_(clock), pattern_(seed, size, true, 50'000) {}

  std::optional<Bytes> size() const override { return pattern_.size(); }
  Task<Result<Arrival>> arrival() override {
    co_await clock_.sleep(std::chrono::seconds(1));
    co_return Arrival::some;
  }
  Task<Result<std::size_t>> read(MutableView into) override {
    co_await clock_.sleep(std::chrono::seconds(1));
    co_return co_await pattern_.read(into);
  }
  Result<Properties> finish() override { return pattern_.finish(); }

 private:
  Clock& clock_;
  PatternSource pattern_;
};

Task<> put_slowly(ObjectsTest& test, std::uint64_t seed, Bytes size, int& done) {
  PausingSource source(test.world.clock, seed, size);
  EXPECT_TRUE(co_await test.gateway.objects.put(test.ns, "slow" + std::to_string(seed), source, {}));
  ++done;
}

TEST_F(ObjectsTest, memory_is_not_taken_before_bytes_come) {
  int done = 0;
  world.loop.spawn(put_slowly(*this, 1, 5_MiB, done));
  world.loop.run_for(std::chrono::milliseconds(900));
  EXPECT_EQ(world.memory.held(), 0U);
  world.loop.run_for(std::chrono::milliseconds(200));
  EXPECT_GT(world.memory.held(), 0U);
  world.loop.run();
  EXPECT_EQ(done, 1);
}

TEST_F(ObjectsTest, slow_senders_give_back_memory_that_others_wait_for) {
  constexpr int count = 40;
  int done = 0, fast = 0;
  for (std::uint64_t i = 0; i < count; ++i) world.loop.spawn(put_slowly(*this, i, 1_MiB, done));
  world.loop.run_for(std::chrono::seconds(3));
  world.loop.spawn(put_one(*this, 7, fast));
  world.loop.run_for(std::chrono::seconds(8));
  EXPECT_EQ(fast, 1);
  EXPECT_EQ(done, 0);
  world.loop.run();
  EXPECT_EQ(done, count);
  for (std::uint64_t i = 0; i < count; ++i) expect("slow" + std::to_string(i), i, 1_MiB);
  EXPECT_EQ(world.memory.held(), 0U);
}

/// A pattern whose sender falls silent, without ending, until he is told to go on.
class SilentSource final : public Source {
 public:
  SilentSource(Clock& clock, const bool& goes_on, Bytes size)
      : clock_(clock), goes_on_(goes_on), pattern_(1, size) {}

  std::optional<Bytes> size() const override { return pattern_.size(); }
  bool pauses() const override { return pauses_; }
  Task<Result<std::size_t>> read(MutableView into) override {
    constexpr Bytes silent_from = 20'000;
    pauses_ = sent_ >= silent_from && !goes_on_;
    if (pauses_) co_await clock_.sleep(std::chrono::milliseconds(100));
    if (pauses_) co_return std::size_t{0};
    auto count = co_await pattern_.read(into.first(std::min<Bytes>(into.size(), silent_from)));
    if (count) sent_ += *count;
    co_return count;
  }
  Result<Properties> finish() override { return pattern_.finish(); }

 private:
  Clock& clock_;
  const bool& goes_on_;
  PatternSource pattern_;
  Bytes sent_ = 0;
  bool pauses_ = false;
};

Task<> put_silently(ObjectsTest& test, std::string name, const bool& goes_on, int& done) {
  SilentSource source(test.world.clock, goes_on, 1_MiB);
  EXPECT_TRUE(co_await test.gateway.objects.put(test.ns, std::move(name), source, {}));
  ++done;
}

TEST_F(ObjectsTest, silent_senders_give_back_memory_that_others_wait_for) {
  constexpr int count = 200;
  int done = 0, fast = 0;
  bool goes_on = false;
  for (int i = 0; i < count; ++i) {
    world.loop.spawn(put_silently(*this, "silent" + std::to_string(i), goes_on, done));
  }
  for (int i = 0; i < 4; ++i) world.loop.spawn(put_one(*this, static_cast<std::uint64_t>(i), fast));
  world.loop.run_for(std::chrono::seconds(3));
  EXPECT_EQ(fast, 4);
  EXPECT_EQ(done, 0);
  goes_on = true;
  world.loop.run();
  EXPECT_EQ(done, count);
  for (int i = 0; i < count; ++i) expect("silent" + std::to_string(i), 1, 1_MiB);
  EXPECT_EQ(world.memory.held(), 0U);
}

TEST_F(ObjectsTest, chunks_that_came_too_early_are_touched_again) {
  LateSource source(world, 20_MiB);
  ASSERT_TRUE(gateway.get(gateway.objects.put(ns, "late", source, {})));
  EXPECT_EQ(world.shards.chunks_refused(), 1U);
  for (const ChunkName& chunk : world.device.names()) {
    EXPECT_FALSE(gateway.get(world.device.erase_aged({{chunk, 0}}, LateSource::epoch))->front());
  }
  expect("late", 1, 20_MiB);
}

TEST_F(ObjectsTest, a_lost_answer_to_any_commit_leaves_the_old_or_the_new_object) {
  for (std::uint64_t commit = 1;; ++commit) {
    ASSERT_TRUE(put("dir/k", 1, paged_size));
    auto fate = std::make_shared<MemoryShards::Fate>();
    Gateway unsure(world, {}, fate);
    ASSERT_TRUE(put(unsure, "warm", 9, 1));
    fate->unanswered = commit;
    const auto done = put(unsure, "dir/k", 2, paged_size + 5_MiB);
    const bool is_lost = *fate->unanswered == 0;
    const auto now = gateway.get(gateway.objects.stat(ns, "dir/k"));
    ASSERT_TRUE(now);
    const bool is_new = now->size != paged_size;
    EXPECT_TRUE(is_new || !done);
    expect("dir/k", is_new ? 2 : 1, now->size);
    world.shards.fence(unsure.client->session());
    expect_rows(0, 1);
    if (!is_lost) break;
    ASSERT_LT(commit, 10U);
  }
}

TEST_F(ObjectsTest, a_crash_after_any_commit_leaves_the_old_or_the_new_object) {
  for (const bool answer_lost : {false, true}) {
    for (std::uint64_t commits = 1;; ++commits) {
      ASSERT_TRUE(put("dir/k", 1, paged_size));
      auto fate = std::make_shared<MemoryShards::Fate>();
      SessionId session;
      bool finished = false;
      {
        Gateway dying(world, {}, fate);
        session = dying.client->session();
        ASSERT_TRUE(put(dying, "warm", 9, 1));
        fate->commits_left = commits;
        fate->last_answer_lost = answer_lost;
        const auto done = put(dying, "dir/k", 2, paged_size + 5_MiB);
        finished = done.has_value() && !fate->dead;
      }
      world.shards.fence(session);
      const auto now = gateway.get(gateway.objects.stat(ns, "dir/k"));
      ASSERT_TRUE(now);
      const bool is_new = now->size != paged_size;
      expect("dir/k", is_new ? 2 : 1, is_new ? paged_size + 5_MiB : paged_size);
      expect_rows(0, 1);
      if (finished) break;
      ASSERT_LT(commits, 10U);
    }
  }
}

}  // namespace
}  // namespace kiseki::fs::detail
