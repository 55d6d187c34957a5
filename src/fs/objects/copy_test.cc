#include <array>

#include "base/planted.h"
#include "fs/bodies/stored_object.h"
#include "fs/testing/stored_bodies.h"

namespace kiseki::fs::detail {
namespace {

class CopyTest : public StoredBodies {
 public:
  Result<Attributes> put(NamespaceId into, std::string name, std::uint64_t seed, Bytes size) {
    PatternSource source(seed, size);
    source.properties.metadata = {{"origin", "put"}};
    return gateway.get(gateway.objects.put(into, std::move(name), source, {}));
  }

  CopyRequest request(std::string from, std::string to) {
    CopyRequest made;
    made.from = ns;
    made.from_key = std::move(from);
    made.to = ns;
    made.to_key = std::move(to);
    return made;
  }
  Result<Attributes> copy(CopyRequest made) { return gateway.get(gateway.objects.copy(std::move(made))); }

  void expect(NamespaceId in, std::string name, std::uint64_t seed, Bytes size) {
    expect_object(gateway, in, std::move(name), {{seed, size}});
  }

  NamespaceId other = gateway.make_namespace("other");
};

TEST_F(CopyTest, holds_the_same_bytes_and_outlives_its_source) {
  std::uint64_t seed = 0;
  for (const Bytes size : {Bytes{0}, Bytes{100}, Bytes{10'000}, Bytes{100'000}, paged_size}) {
    ASSERT_TRUE(put(ns, "from", ++seed, size));
    const std::size_t chunks = world.device.count();
    const auto copied = copy(request("from", "new/to"));
    ASSERT_TRUE(copied) << copied.error().to_string();
    EXPECT_EQ(copied->size, size);
    EXPECT_EQ(copied->properties.metadata.front().second, "put");
    EXPECT_EQ(world.device.count(), chunks);
    ASSERT_TRUE(put(ns, "from", 99, 1));
    expect(ns, "new/to", seed, size);
    expect_rows(size == 10'000 ? 1 : 0, size == paged_size ? 1 : 0);
  }
}

TEST_F(CopyTest, between_namespaces_is_sealed_again) {
  for (const Bytes size : {Bytes{100}, Bytes{10'000}, Bytes{100'000}, paged_size}) {
    ASSERT_TRUE(put(ns, "from", size, size));
    const std::size_t chunks = world.device.count();
    auto made = request("from", "to");
    made.to = other;
    ASSERT_TRUE(copy(made));
    EXPECT_EQ(world.device.count() > chunks, size > 16_KiB);
    expect(other, "to", size, size);
  }
}

TEST_F(CopyTest, replaces_properties) {
  for (const Bytes size : {Bytes{100}, Bytes{10'000}, Bytes{100'000}, paged_size}) {
    ASSERT_TRUE(put(ns, "k", 5, size));
    auto onto_itself = request("k", "k");
    onto_itself.replace = Properties{.etag = "new", .headers = {{"content-type", "a/b"}}};
    ASSERT_TRUE(copy(onto_itself));
    const auto after = gateway.get(gateway.objects.stat(ns, "k"));
    EXPECT_EQ(after->properties.etag, "new");
    EXPECT_EQ(after->properties.headers.front().second, "a/b");
    EXPECT_TRUE(after->properties.metadata.empty());
    expect(ns, "k", 5, size);
    expect_rows(size == 10'000 ? 1 : 0, size == paged_size ? 1 : 0);
  }
}

TEST_F(CopyTest, over_any_object_frees_what_was_there) {
  std::uint64_t seed = 0;
  for (const Bytes from : {Bytes{10'000}, Bytes{100'000}, paged_size}) {
    for (const Bytes to : {Bytes{100}, Bytes{10'000}, paged_size}) {
      ASSERT_TRUE(put(ns, "a/from", ++seed, from));
      ASSERT_TRUE(put(ns, "b/to", ++seed, to));
      ASSERT_TRUE(copy(request("a/from", "b/to")));
      expect(ns, "b/to", seed - 1, from);
      ASSERT_TRUE(gateway.get(gateway.objects.remove(ns, "a/from", {})));
      expect(ns, "b/to", seed - 1, from);
      expect_rows(from == 10'000 ? 1 : 0, from == paged_size ? 1 : 0);
    }
  }
}

TEST_F(CopyTest, checks_both_sides) {
  EXPECT_EQ(copy(request("no", "to")).error().code(), Errc::not_found);
  ASSERT_TRUE(put(ns, "from", 1, 100'000));
  auto made = request("from", "to");
  made.source_etag = "another";
  EXPECT_EQ(copy(made).error().code(), Errc::precondition_failed);
  made.source_etag = "etag-1-100000";
  made.condition.absent = true;
  EXPECT_TRUE(copy(made));
  EXPECT_EQ(copy(made).error().code(), Errc::precondition_failed);
  made.to = other;
  made.source_etag = "another";
  EXPECT_EQ(copy(made).error().code(), Errc::precondition_failed);
  made.from = NamespaceId{999};
  EXPECT_EQ(copy(made).error().code(), Errc::not_found);
}

Task<> replace_source(CopyTest& test, int rounds) {
  for (int i = 1; i <= rounds; ++i) {
    PatternSource source(static_cast<std::uint64_t>(i), i % 2 == 0 ? 100'000 : 60'000);
    EXPECT_TRUE(co_await test.gateway.objects.put(test.ns, "from", source, {}));
  }
}

Task<> copy_often(CopyTest& test, std::string to, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    EXPECT_TRUE(co_await test.gateway.objects.copy(test.request("from", to)));
    auto object = co_await test.gateway.objects.open(test.ns, to);
    EXPECT_TRUE(object);
    if (!object) co_return;
    const Attributes& attributes = (*object)->attributes();
    auto bytes = co_await (*object)->read(0, attributes.size);
    EXPECT_TRUE(bytes);
    if (!bytes) co_return;
    EXPECT_TRUE(PatternSource::matches(std::stoull(attributes.properties.etag.substr(5)), 0, bytes->view()));
  }
}

TEST_F(CopyTest, follows_a_source_that_changes) {
  ASSERT_TRUE(put(ns, "from", 0, 100'000));
  world.loop.spawn(replace_source(*this, 40));
  for (int i = 0; i < 4; ++i) world.loop.spawn(copy_often(*this, "to" + std::to_string(i), 20));
  world.loop.run();
}

Task<> overwrite(CopyTest& test, Gateway& on, Bytes size, int rounds) {
  for (int i = 1; i <= rounds; ++i) {
    PatternSource source(static_cast<std::uint64_t>(i), size);
    EXPECT_TRUE(co_await on.objects.put(test.ns, "k", source, {}));
  }
}

Task<> copy_onto_itself(CopyTest& test, int rounds) {
  for (int i = 0; i < rounds; ++i) EXPECT_TRUE(co_await test.gateway.objects.copy(test.request("k", "k")));
}

/// The object's last writer is the one who wrote last, whoever copies it onto itself.
bool keeps_the_last_overwrite(CopyTest& test, Bytes size) {
  constexpr int rounds = 30;
  Gateway other(test.world);
  EXPECT_TRUE(test.put(test.ns, "k", 0, size));
  test.world.loop.spawn(overwrite(test, other, size, rounds));
  for (int i = 0; i < 3; ++i) test.world.loop.spawn(copy_onto_itself(test, rounds));
  test.world.loop.run();
  const auto object = test.gateway.get(test.gateway.objects.open(test.ns, "k"));
  const auto bytes = object ? test.gateway.get((*object)->read(0, size)) : fail(object.error());
  return bytes && PatternSource::matches(rounds, 0, bytes->view());
}

TEST_F(CopyTest, onto_itself_never_undoes_an_overwrite) {
  for (const Bytes size : {Bytes{100}, Bytes{10'000}, Bytes{100'000}}) {
    EXPECT_TRUE(keeps_the_last_overwrite(*this, size)) << size;
  }
}

/// Something else happens before each call of a copy onto itself in turn. The call before which it did when
/// the copy undid it.
std::optional<std::uint64_t> undone_before(CopyTest& test, Bytes size, std::function<Task<>()> other,
                                           std::function<bool()> is_undone) {
  for (std::uint64_t call = 0;; ++call) {
    auto own = std::make_unique<Interrupted>(test.world.shards.connect());
    Interrupted& client = *own;
    Gateway copying(test.world, std::move(own), {});
    EXPECT_TRUE(test.put(test.ns, "k", 1, size));
    client.before(call, other);
    const auto copied = copying.get(copying.objects.copy(test.request("k", "k")));
    if (!client.happened()) return std::nullopt;
    if (is_undone()) return call;
    if (!copied) EXPECT_EQ(copied.error().code(), Errc::not_found);
  }
}

Task<> remove(CopyTest& test) { EXPECT_TRUE(co_await test.gateway.objects.remove(test.ns, "k", {})); }

std::optional<std::uint64_t> revived_before(CopyTest& test, Bytes size) {
  return undone_before(
      test, size, [&test] { return remove(test); },
      [&test] { return test.gateway.get(test.gateway.objects.stat(test.ns, "k")).has_value(); });
}

/// The same bytes, so with the same ETag, and other metadata.
Task<> put_described(CopyTest& test, Bytes size) {
  PatternSource source(1, size);
  source.properties.metadata = {{"origin", "later"}};
  EXPECT_TRUE(co_await test.gateway.objects.put(test.ns, "k", source, {}));
}

constexpr std::array sizes_of_all_bodies{Bytes{0}, Bytes{100}, Bytes{10'000}, Bytes{100'000},
                                         StoredBodies::paged_size};

TEST_F(CopyTest, onto_itself_never_brings_back_what_was_deleted) {
  for (const Bytes size : sizes_of_all_bodies) EXPECT_EQ(revived_before(*this, size), std::nullopt) << size;
}

TEST_F(CopyTest, onto_itself_never_undoes_a_put_of_the_same_bytes) {
  for (const Bytes size : sizes_of_all_bodies) {
    const auto undone = undone_before(
        *this, size, [&] { return put_described(*this, size); },
        [this] {
          const auto left = gateway.get(gateway.objects.stat(ns, "k"));
          return !left || left->properties.metadata.front().second != "later";
        });
    EXPECT_EQ(undone, std::nullopt) << size;
  }
}

TEST_F(CopyTest, onto_itself_that_puts_what_has_gone_is_noticed) {
  const planted::Fault fault("6.6 a copy onto itself puts what has gone");
  EXPECT_TRUE(revived_before(*this, 100'000));
  EXPECT_GT(fault.met(), 0U);
}

/// Copies an object onto itself, and overwrites it before the call that is numbered. False when the copy has
/// fewer.
bool overwritten_before(CopyTest& test, std::uint64_t call, Bytes size) {
  EXPECT_TRUE(test.put(test.ns, "k", 0, size));
  auto client = std::make_unique<Interrupted>(test.world.shards.connect());
  Interrupted& calls = *client;
  Gateway copying(test.world, std::move(client), {});
  calls.before(call, [&test, size] { return overwrite(test, test.gateway, size, 1); });
  EXPECT_TRUE(copying.get(copying.objects.copy(test.request("k", "k"))));
  const bool happened = calls.happened();
  calls.before(0, nullptr);
  test.expect(test.ns, "k", happened ? 1 : 0, size);
  return happened;
}

TEST_F(CopyTest, onto_itself_meets_an_overwrite_before_any_of_its_calls) {
  for (const Bytes size : sizes_of_all_bodies) {
    std::uint64_t call = 0;
    while (overwritten_before(*this, call, size)) ++call;
    EXPECT_GE(call, 3U) << size;
  }
  expect_rows(0, 1);
}

Task<> put_small(CopyTest& test, std::string to) {
  PatternSource source(5, 10);
  EXPECT_TRUE(co_await test.gateway.objects.put(test.ns, std::move(to), source, {}));
}

TEST_F(CopyTest, that_loses_against_another_leaves_no_pages) {
  ASSERT_TRUE(put(ns, "from", 1, paged_size));
  bool happened = true;
  for (std::uint64_t call = 0; happened; ++call) {
    auto client = std::make_unique<Interrupted>(world.shards.connect());
    Interrupted& calls = *client;
    Gateway copying(world, std::move(client), {});
    calls.before(call, [this] { return put_small(*this, "to"); });
    CopyRequest made = request("from", "to");
    made.condition.absent = true;
    const auto copied = copying.get(copying.objects.copy(made));
    happened = calls.happened();
    calls.before(0, nullptr);
    EXPECT_TRUE(copied || copied.error().code() == Errc::precondition_failed);
    expect_rows(0, copied ? 2 : 1);
    ASSERT_TRUE(gateway.get(gateway.objects.remove(ns, "to", {})));
    expect_rows(0, 1);
  }
}

TEST_F(CopyTest, a_lost_answer_to_any_commit_leaves_the_old_or_the_new_target) {
  ASSERT_TRUE(put(ns, "from", 1, paged_size));
  for (std::uint64_t commit = 1;; ++commit) {
    ASSERT_TRUE(put(ns, "to", 2, paged_size + 1));
    auto fate = std::make_shared<MemoryShards::Fate>();
    Gateway unsure(world, {}, fate);
    fate->unanswered = commit;
    (void)unsure.get(unsure.objects.copy(request("from", "to")));
    const bool is_lost = *fate->unanswered == 0;
    const auto now = gateway.get(gateway.objects.stat(ns, "to"));
    ASSERT_TRUE(now);
    expect(ns, "to", now->size == paged_size ? 1 : 2, now->size);
    expect(ns, "from", 1, paged_size);
    world.shards.fence(unsure.client->session());
    expect_rows(0, 2);
    if (!is_lost) break;
    ASSERT_LT(commit, 10U);
  }
}

TEST_F(CopyTest, a_crash_after_any_commit_leaves_the_old_or_the_new_target) {
  for (std::uint64_t commits = 1;; ++commits) {
    ASSERT_TRUE(put(ns, "from", 1, paged_size));
    ASSERT_TRUE(put(ns, "to", 2, paged_size + 1));
    auto fate = std::make_shared<MemoryShards::Fate>();
    SessionId session;
    {
      Gateway dying(world, {}, fate);
      session = dying.client->session();
      (void)dying.get(dying.tree.new_id(ns));
      fate->commits_left = commits;
      (void)dying.get(dying.objects.copy(request("from", "to")));
    }
    world.shards.fence(session);
    const auto now = gateway.get(gateway.objects.stat(ns, "to"));
    ASSERT_TRUE(now);
    const bool is_new = now->size == paged_size;
    expect(ns, "to", is_new ? 1 : 2, now->size);
    expect(ns, "from", 1, paged_size);
    expect_rows(0, 2);
    if (!fate->dead) break;
    ASSERT_LT(commits, 10U);
  }
}

}  // namespace
}  // namespace kiseki::fs::detail
