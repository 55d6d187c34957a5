#include "fs/uploads/tree_uploads.h"

#include "fs/names/sealer.h"
#include "fs/testing/stored_bodies.h"
#include "fs/tree/rows.h"

namespace kiseki::fs::detail {
namespace {

class UploadsTest : public StoredBodies {
 public:
  static constexpr const char* key = "films/one.mkv";

  std::string create(std::string name = key) {
    Properties properties;
    properties.headers = {{"content-type", "video/x"}};
    return gateway.get(gateway.uploads.create(ns, std::move(name), properties)).value();
  }
  Result<Attributes> part(Gateway& on, const std::string& upload, std::uint32_t number, std::uint64_t seed,
                          Bytes size) {
    PatternSource source(seed, size);
    return on.get(on.uploads.put_part(ns, key, upload, number, source));
  }
  Result<Attributes> part(const std::string& upload, std::uint32_t number, std::uint64_t seed, Bytes size) {
    return part(gateway, upload, number, seed, size);
  }
  static CompletePart listed(std::uint32_t number, std::uint64_t seed, Bytes size) {
    return {number, "etag-" + std::to_string(seed) + "-" + std::to_string(size)};
  }
  Result<Attributes> complete(Gateway& on, const std::string& upload, std::vector<CompletePart> parts,
                              Condition condition = {}) {
    CompleteUpload request{ns, key, upload, std::move(parts), "whole-2"};
    request.checksums = {{"crc32c", "AAAAAA=="}};
    request.condition = std::move(condition);
    return on.get(on.uploads.complete(std::move(request)));
  }
  Result<Attributes> complete(const std::string& upload, std::vector<CompletePart> parts,
                              Condition condition = {}) {
    return complete(gateway, upload, std::move(parts), std::move(condition));
  }

  void expect(const std::vector<Pattern>& parts) { expect_object(gateway, ns, key, parts); }
  void expect_rows(std::size_t uploads, std::size_t parts, std::size_t pages) {
    StoredBodies::expect_rows(
        {{shard::Kind::upload, uploads}, {shard::Kind::part, parts}, {shard::Kind::map_page, pages}});
    const auto listed = gateway.get(gateway.uploads.list(ns, "", "", "", 1000));
    EXPECT_EQ(listed->uploads.size(), uploads);
  }

  detail::TreeUploads few_references{gateway.tree, gateway.store, 2};
};

TEST_F(UploadsTest, put_parts_together_without_moving_them) {
  const std::string upload = create();
  ASSERT_TRUE(part(upload, 7, 3, 100));
  ASSERT_TRUE(part(upload, 2, 1, 5_MiB));
  ASSERT_TRUE(part(upload, 5, 2, 9_MiB + 1));
  const std::size_t puts = world.device.puts;
  const auto done = complete(upload, {listed(2, 1, 5_MiB), listed(5, 2, 9_MiB + 1), listed(7, 3, 100)});
  ASSERT_TRUE(done) << done.error().to_string();
  EXPECT_EQ(done->size, 14_MiB + 101);
  EXPECT_EQ(done->properties.etag, "whole-2");
  EXPECT_EQ(done->properties.checksums.front().second, "AAAAAA==");
  EXPECT_EQ(done->properties.headers.front().second, "video/x");
  EXPECT_EQ(world.device.puts, puts);
  expect({{1, 5_MiB}, {2, 9_MiB + 1}, {3, 100}});
  expect_rows(0, 0, 0);
  EXPECT_EQ(world.memory.held(), 0U);
}

TEST_F(UploadsTest, chunks_of_parts_that_came_too_early_are_touched_again) {
  const std::string upload = create();
  LateSource source(world, 20_MiB);
  ASSERT_TRUE(gateway.get(gateway.uploads.put_part(ns, key, upload, 1, source)));
  EXPECT_EQ(world.shards.chunks_refused(), 1U);
  for (const ChunkName& chunk : world.device.names()) {
    EXPECT_FALSE(gateway.get(world.device.erase_aged({{chunk, 0}}, LateSource::epoch))->front());
  }
  ASSERT_TRUE(complete(upload, {listed(1, 1, 20_MiB)}));
  expect({{1, 20_MiB}});
}

TEST_F(UploadsTest, of_many_parts_make_pages) {
  const std::string upload = create();
  std::vector<CompletePart> parts;
  std::vector<Pattern> patterns;
  for (std::uint32_t number = 40; number > 0; --number) {
    ASSERT_TRUE(part(upload, number, number, 5_MiB));
    parts.insert(parts.begin(), listed(number, number, 5_MiB));
    patterns.insert(patterns.begin(), {number, 5_MiB});
  }
  ASSERT_TRUE(complete(upload, parts));
  expect(patterns);
  expect_rows(0, 0, 1);
  ASSERT_TRUE(gateway.get(gateway.objects.remove(ns, key, {})));
  expect_rows(0, 0, 0);
}

TEST_F(UploadsTest, answer_a_repeated_completion_while_the_object_stands) {
  const std::string upload = create();
  ASSERT_TRUE(part(upload, 1, 1, 100));
  const auto first = complete(upload, {listed(1, 1, 100)});
  const auto again = complete(upload, {listed(1, 1, 100)});
  ASSERT_TRUE(again);
  EXPECT_EQ(again->modified_ms, first->modified_ms);
  EXPECT_EQ(again->properties.etag, "whole-2");
  PatternSource source(2, 1);
  ASSERT_TRUE(gateway.get(gateway.objects.put(ns, key, source, {})));
  EXPECT_EQ(complete(upload, {listed(1, 1, 100)}).error().code(), Errc::not_found);
}

TEST_F(UploadsTest, check_what_a_completion_names) {
  const std::string upload = create();
  ASSERT_TRUE(part(upload, 1, 1, 5_MiB - 1));
  ASSERT_TRUE(part(upload, 2, 2, 5_MiB));
  ASSERT_TRUE(part(upload, 3, 3, 10));
  const auto code = [&](std::vector<CompletePart> parts) {
    return complete(upload, std::move(parts)).error().code();
  };
  EXPECT_EQ(code({}), Errc::invalid_argument);
  EXPECT_EQ(code({listed(3, 3, 10), listed(2, 2, 5_MiB)}), Errc::invalid_argument);
  EXPECT_EQ(code({listed(2, 2, 5_MiB), listed(2, 2, 5_MiB)}), Errc::invalid_argument);
  EXPECT_EQ(code({listed(2, 9, 5_MiB)}), Errc::invalid_argument);
  EXPECT_EQ(code({listed(2, 2, 5_MiB), listed(4, 4, 1)}), Errc::invalid_argument);
  EXPECT_EQ(code({listed(1, 1, 5_MiB - 1), listed(2, 2, 5_MiB)}), Errc::out_of_range);
  // The next part has the bytes that are named; the part that is named is missing.
  ASSERT_TRUE(part(upload, 5, 3, 10));
  EXPECT_EQ(code({listed(4, 3, 10)}), Errc::invalid_argument);
  EXPECT_EQ(code({listed(2, 2, 5_MiB), listed(4, 3, 10)}), Errc::invalid_argument);
  EXPECT_EQ(complete(upload, {listed(3, 3, 10)}, {.absent = false, .etag = "*"}).error().code(),
            Errc::not_found);
  EXPECT_EQ(complete("0123", {listed(3, 3, 10)}).error().code(), Errc::not_found);
  EXPECT_EQ(complete(std::string(32, 'f'), {listed(3, 3, 10)}).error().code(), Errc::not_found);
  // After all that the upload is as it was.
  ASSERT_TRUE(part(upload, 3, 4, 20));
  ASSERT_TRUE(complete(upload, {listed(2, 2, 5_MiB), listed(3, 4, 20)}));
  expect({{2, 5_MiB}, {4, 20}});
  expect_rows(0, 0, 0);
}

/// Further parts that hold what the first one does, and say that they have `size`.
Task<Result<>> repeat_part(UploadsTest& test, std::string upload, std::uint32_t count, Bytes size) {
  Tree& tree = test.gateway.tree;
  auto read = co_await read_upload(tree, test.ns, UploadsTest::key, upload, {});
  if (!read) co_return fail(read.error());
  const Upload& whole = read->upload;
  const shard::Key first = part_key(test.ns, whole.id, 1);
  const auto row = co_await read_row(tree, first);
  if (!row || !*row) co_return fail(Errc::not_found, "no part to repeat");
  const auto value = unseal(*whole.ns->keys, first, **row);
  if (!value) co_return fail(value.error());
  for (std::uint32_t number = 2; number <= count;) {
    shard::Transaction transaction = tree.begin(whole.ns);
    for (; number <= count && transaction.operations.size() < 1000; ++number) {
      const shard::Key key = part_key(test.ns, whole.id, number);
      shard::Record record = **row;
      record.logical = size;
      tree.seal_row(whole.ns, key, record, as_view(*value));
      transaction.require(shard::Assert::Type::absent, key).put(key, std::move(record));
    }
    const auto outcome = co_await commit_rows(tree, whole.ns, std::move(transaction));
    if (!outcome) co_return fail(outcome.error());
  }
  co_return Result<>();
}

TEST_F(UploadsTest, ten_thousand_parts_list_page_and_complete) {
  const std::string upload = create();
  ASSERT_TRUE(part(upload, 1, 1, 5_MiB));
  const auto repeated = gateway.get(repeat_part(*this, upload, Uploads::parts_max, 5_MiB));
  ASSERT_TRUE(repeated) << repeated.error().to_string();
  std::vector<CompletePart> parts;
  for (bool more = true; more;) {
    const std::uint32_t after = parts.empty() ? 0 : parts.back().number;
    const auto page = gateway.get(gateway.uploads.parts(ns, key, upload, after, 5000));
    ASSERT_TRUE(page && !page->parts.empty());
    for (const PartInfo& one : page->parts) parts.push_back({one.number, one.attributes.properties.etag});
    more = page->more;
  }
  ASSERT_EQ(parts.size(), Uploads::parts_max);
  const auto done = complete(upload, parts);
  ASSERT_TRUE(done) << done.error().to_string();
  EXPECT_EQ(done->size, Uploads::parts_max * 5_MiB);
  EXPECT_EQ(done->parts, (std::vector<PartRun>{{Uploads::parts_max, 5_MiB}}));
}

TEST_F(UploadsTest, beyond_the_largest_object_are_refused_and_stay_open) {
  const std::string upload = create();
  ASSERT_TRUE(part(upload, 1, 1, 5_MiB));
  ASSERT_TRUE(gateway.get(repeat_part(*this, upload, 7, 1024_GiB)));
  std::vector<CompletePart> parts;
  for (std::uint32_t number = 1; number <= 7; ++number) parts.push_back(listed(number, 1, 5_MiB));
  EXPECT_EQ(complete(upload, parts).error().code(), Errc::too_large);
  ASSERT_TRUE(complete(upload, {listed(1, 1, 5_MiB)}));
}

TEST_F(UploadsTest, replace_parts_and_refuse_bad_ones) {
  const std::string upload = create();
  ASSERT_TRUE(part(upload, 1, 1, 100'000));
  ASSERT_TRUE(part(upload, 1, 2, 50'000));
  ASSERT_TRUE(part(upload, 2, 3, 0));
  EXPECT_EQ(part(upload, 0, 1, 1).error().code(), Errc::invalid_argument);
  EXPECT_EQ(part(upload, 10'001, 1, 1).error().code(), Errc::invalid_argument);
  EXPECT_EQ(part("nothing", 1, 1, 1).error().code(), Errc::not_found);
  PatternSource bad(4, 10);
  bad.bad_digest = true;
  EXPECT_EQ(gateway.get(gateway.uploads.put_part(ns, key, upload, 3, bad)).error().code(),
            Errc::invalid_argument);
  PatternSource elsewhere(4, 10);
  EXPECT_EQ(gateway.get(gateway.uploads.put_part(ns, "other", upload, 3, elsewhere)).error().code(),
            Errc::not_found);
  const auto parts = gateway.get(gateway.uploads.parts(ns, key, upload, 0, 1000));
  ASSERT_EQ(parts->parts.size(), 2U);
  EXPECT_EQ(parts->parts[0].number, 1U);
  EXPECT_EQ(parts->parts[0].attributes.size, 50'000U);
  EXPECT_EQ(parts->parts[1].attributes.size, 0U);
  EXPECT_EQ(gateway.get(gateway.uploads.parts(ns, key, upload, 1, 1000))->parts.size(), 1U);
  EXPECT_EQ(gateway.get(gateway.uploads.parts(ns, key, upload, 0, 1))->parts.size(), 1U);
  ASSERT_TRUE(complete(upload, {listed(1, 2, 50'000)}));
  expect({{2, 50'000}});
}

TEST_F(UploadsTest, an_empty_object_may_come_of_an_empty_part) {
  const std::string upload = create();
  ASSERT_TRUE(part(upload, 1, 1, 0));
  ASSERT_TRUE(complete(upload, {listed(1, 1, 0)}));
  expect({});
}

TEST_F(UploadsTest, long_parts_have_pages_of_their_own) {
  const std::string upload = create();
  const Bytes size = 260 * 4_MiB;
  ASSERT_TRUE(part(upload, 1, 1, size));
  EXPECT_EQ(world.shards.count(shard::Kind::map_page), 2U);
  ASSERT_TRUE(part(upload, 2, 2, 77));
  ASSERT_TRUE(complete(upload, {listed(1, 1, size), listed(2, 2, 77)}));
  expect_rows(0, 0, 2);
  auto object = gateway.get(gateway.objects.open(ns, key));
  for (const Bytes offset : {Bytes{0}, 1_GiB, 1_GiB + 16_MiB - 1}) {
    auto bytes = gateway.get((*object)->read(offset, 100));
    EXPECT_TRUE(bytes && PatternSource::matches(1, offset, bytes->view()));
  }
  auto tail = gateway.get((*object)->read(size, 100));
  EXPECT_TRUE(tail && tail->size() == 77 && PatternSource::matches(2, 0, tail->view()));
}

TEST_F(UploadsTest, an_abort_takes_everything) {
  const std::string upload = create();
  ASSERT_TRUE(part(upload, 1, 1, 100));
  PatternSource longer(1, 12_MiB);
  ASSERT_TRUE(gateway.get(few_references.put_part(ns, key, upload, 2, longer)));
  EXPECT_EQ(world.shards.count(shard::Kind::map_page), 1U);
  ASSERT_TRUE(gateway.get(gateway.uploads.abort(ns, key, upload)));
  EXPECT_EQ(gateway.get(gateway.uploads.abort(ns, key, upload)).error().code(), Errc::not_found);
  EXPECT_EQ(part(upload, 1, 1, 100).error().code(), Errc::not_found);
  EXPECT_EQ(complete(upload, {listed(1, 1, 100)}).error().code(), Errc::not_found);
  EXPECT_EQ(gateway.get(gateway.uploads.find(ns, key, upload)).error().code(), Errc::not_found);
  expect_rows(0, 0, 0);
}

TEST_F(UploadsTest, are_found_and_listed_in_order) {
  std::vector<std::pair<std::string, std::string>> made;
  for (const char* name : {"a", "a/b", "b", "a", "c/d", "a/b", "a-b"}) made.emplace_back(name, create(name));
  std::ranges::sort(made);
  const auto all = gateway.get(gateway.uploads.list(ns, "", "", "", 1000));
  ASSERT_EQ(all->uploads.size(), made.size());
  for (std::size_t i = 0; i < made.size(); ++i) {
    EXPECT_EQ(all->uploads[i].key, made[i].first);
    EXPECT_EQ(all->uploads[i].upload, made[i].second);
    EXPECT_EQ(all->uploads[i].properties.headers.front().second, "video/x");
    const auto rest = gateway.get(gateway.uploads.list(ns, "", made[i].first, made[i].second, 1000));
    EXPECT_EQ(rest->uploads.size(), made.size() - i - 1);
    const auto found = gateway.get(gateway.uploads.find(ns, made[i].first, made[i].second));
    EXPECT_EQ(found->created_ms, all->uploads[i].created_ms);
  }
  EXPECT_EQ(gateway.get(gateway.uploads.list(ns, "a", "", "", 1000))->uploads.size(), 5U);
  EXPECT_EQ(gateway.get(gateway.uploads.list(ns, "a/", "", "", 1000))->uploads.size(), 2U);
  EXPECT_EQ(gateway.get(gateway.uploads.list(ns, "", "a", "", 1000))->uploads.size(), 5U);
  EXPECT_EQ(gateway.get(gateway.uploads.list(ns, "", "a/b", "", 1000))->uploads.size(), 2U);
  EXPECT_EQ(gateway.get(gateway.uploads.list(ns, "", "", "", 3))->uploads.size(), 3U);
  EXPECT_TRUE(gateway.get(gateway.uploads.list(ns, "", "", "", 6))->more);
  EXPECT_FALSE(gateway.get(gateway.uploads.list(ns, "", "", "", 7))->more);
  EXPECT_EQ(gateway.get(gateway.uploads.list(ns, "", "", "", 0))->uploads.size(), 0U);
  ASSERT_TRUE(gateway.get(gateway.uploads.abort_all(ns)));
  expect_rows(0, 0, 0);
}

Task<> put_part_often(UploadsTest& test, Gateway& on, std::string upload, int rounds, int& refused) {
  for (int i = 0; i < rounds; ++i) {
    PatternSource source(static_cast<std::uint64_t>(i % 2), 30'000);
    const auto done = co_await on.uploads.put_part(test.ns, UploadsTest::key, upload, 1, source);
    if (done) continue;
    EXPECT_EQ(done.error().code(), Errc::not_found) << done.error().to_string();
    ++refused;
  }
}

Task<> complete_once(UploadsTest& test, Gateway& on, std::string upload, std::uint64_t seed, int& done) {
  const std::vector<CompletePart> parts{UploadsTest::listed(1, seed, 30'000)};
  while (done == 0) {
    const auto completed = co_await on.uploads.complete({test.ns, UploadsTest::key, upload, parts, "whole"});
    if (completed) {
      ++done;
      co_return;
    }
    EXPECT_EQ(completed.error().code(), Errc::invalid_argument) << completed.error().to_string();
    // Virtual time stands still while somebody is always ready.
    co_await test.world.clock.sleep(std::chrono::milliseconds(1));
  }
}

TEST_F(UploadsTest, completions_and_parts_at_once_keep_the_object_whole) {
  Gateway other(world);
  for (int round = 0; round < 10; ++round) {
    const std::string upload = create();
    ASSERT_TRUE(part(upload, 1, 1, 30'000));
    int refused = 0;
    int done = 0;
    world.loop.spawn(put_part_often(*this, gateway, upload, 30, refused));
    world.loop.spawn(complete_once(*this, gateway, upload, 0, done));
    world.loop.spawn(complete_once(*this, other, upload, 1, done));
    world.loop.run();
    EXPECT_GE(done, 1);
    auto object = gateway.get(gateway.objects.open(ns, key));
    ASSERT_TRUE(object);
    auto bytes = gateway.get((*object)->read(0, 30'000));
    ASSERT_TRUE(bytes);
    EXPECT_TRUE(PatternSource::matches(0, 0, bytes->view()) || PatternSource::matches(1, 0, bytes->view()));
    expect_rows(0, 0, 0);
  }
}

TEST_F(UploadsTest, a_crash_after_any_commit_of_a_completion_can_be_repeated) {
  for (const bool answer_lost : {false, true}) {
    for (std::uint64_t commits = 1;; ++commits) {
      PatternSource old(9, 33_MiB);
      ASSERT_TRUE(gateway.get(gateway.objects.put(ns, key, old, {})));
      const std::string upload = create();
      std::vector<CompletePart> parts;
      std::vector<Pattern> patterns;
      for (std::uint32_t number = 1; number <= 5; ++number) {
        ASSERT_TRUE(part(upload, number, number, 6_MiB));
        parts.push_back(listed(number, number, 6_MiB));
        patterns.emplace_back(number, 6_MiB);
      }
      auto fate = std::make_shared<MemoryShards::Fate>();
      SessionId session;
      {
        Gateway dying(world, {}, fate);
        session = dying.client->session();
        (void)dying.get(dying.tree.new_id(ns));
        fate->commits_left = commits;
        fate->last_answer_lost = answer_lost;
        (void)complete(dying, upload, parts);
      }
      world.shards.fence(session);
      Gateway sweeping(world);
      EXPECT_TRUE(sweeping.get(sweeping.sweep()));
      const auto again = complete(upload, parts);
      ASSERT_TRUE(again) << commits << " " << again.error().to_string();
      expect(patterns);
      expect_rows(0, 0, 1);
      if (!fate->dead) break;
      ASSERT_LT(commits, 12U);
    }
  }
}

TEST_F(UploadsTest, a_lost_answer_to_any_commit_of_a_completion_leaves_it_repeatable) {
  for (std::uint64_t commit = 1;; ++commit) {
    PatternSource old(9, 33_MiB);
    ASSERT_TRUE(gateway.get(gateway.objects.put(ns, key, old, {})));
    const std::string upload = create();
    ASSERT_TRUE(part(upload, 1, 1, 36_MiB));
    auto fate = std::make_shared<MemoryShards::Fate>();
    Gateway unsure(world, {}, fate);
    fate->unanswered = commit;
    (void)complete(unsure, upload, {listed(1, 1, 36_MiB)});
    const bool is_lost = *fate->unanswered == 0;
    const auto now = gateway.get(gateway.objects.stat(ns, key));
    ASSERT_TRUE(now);
    expect({{now->size == 36_MiB ? 1U : 9U, now->size}});
    const auto again = complete(upload, {listed(1, 1, 36_MiB)});
    ASSERT_TRUE(again) << commit << " " << again.error().to_string();
    expect({{1, 36_MiB}});
    world.shards.fence(unsure.client->session());
    expect_rows(0, 0, 1);
    if (!is_lost) break;
    ASSERT_LT(commit, 12U);
  }
}

TEST_F(UploadsTest, a_crash_after_any_commit_of_a_long_part_keeps_it_or_leaves_nothing) {
  const Bytes size = 12_MiB;
  for (std::uint64_t commits = 1;; ++commits) {
    const std::string upload = create();
    ASSERT_TRUE(part(upload, 1, 1, 5_MiB));
    auto fate = std::make_shared<MemoryShards::Fate>();
    SessionId session;
    {
      Gateway dying(world, {}, fate);
      session = dying.client->session();
      (void)dying.get(dying.tree.new_id(ns));
      fate->commits_left = commits;
      PatternSource longer(2, size);
      detail::TreeUploads few(dying.tree, dying.store, 2);
      (void)dying.get(few.put_part(ns, key, upload, 1, longer));
    }
    world.shards.fence(session);
    const bool kept =
        gateway.get(gateway.uploads.parts(ns, key, upload, 0, 1))->parts.front().attributes.size == size;
    expect_rows(1, 1, kept ? 1 : 0);
    ASSERT_TRUE(complete(upload, {kept ? listed(1, 2, size) : listed(1, 1, 5_MiB)}));
    auto object = gateway.get(gateway.objects.open(ns, key));
    const Bytes end = kept ? size : 5_MiB;
    auto bytes = gateway.get((*object)->read(end - 100, 100));
    EXPECT_TRUE(bytes && PatternSource::matches(kept ? 2 : 1, end - 100, bytes->view()));
    ASSERT_TRUE(gateway.get(gateway.objects.remove(ns, key, {})));
    expect_rows(0, 0, 0);
    if (!fate->dead) break;
    ASSERT_LT(commits, 8U);
  }
}

TEST_F(UploadsTest, what_a_crash_leaves_of_a_completion_does_not_keep_the_namespace) {
  for (std::uint64_t commits = 1;; ++commits) {
    const std::string name = "bucket-" + std::to_string(commits);
    const NamespaceId own = gateway.make_namespace(name);
    const auto upload = gateway.get(gateway.uploads.create(own, key, {})).value();
    PatternSource source(1, 20'000);
    ASSERT_TRUE(gateway.get(gateway.uploads.put_part(own, key, upload, 1, source)));
    auto fate = std::make_shared<MemoryShards::Fate>();
    {
      Gateway dying(world, {}, fate);
      fate->commits_left = commits;
      CompleteUpload request{own, key, upload, {listed(1, 1, 20'000)}, "whole"};
      (void)dying.get(dying.uploads.complete(std::move(request)));
    }
    ASSERT_TRUE(gateway.get(gateway.objects.remove(own, key, {})));
    const auto removed = gateway.get(gateway.namespaces.remove(world.tenant, name));
    EXPECT_TRUE(removed) << commits << ": " << removed.error().to_string();
    if (!fate->dead) break;
    ASSERT_LT(commits, 16U);
  }
}

TEST_F(UploadsTest, a_crash_after_any_commit_of_an_abort_can_be_repeated) {
  for (std::uint64_t commits = 1;; ++commits) {
    const std::string upload = create();
    ASSERT_TRUE(part(upload, 1, 1, 100));
    auto fate = std::make_shared<MemoryShards::Fate>();
    {
      Gateway dying(world, {}, fate);
      fate->commits_left = commits;
      (void)dying.get(dying.uploads.abort(ns, key, upload));
    }
    const auto again = gateway.get(gateway.uploads.abort(ns, key, upload));
    EXPECT_TRUE(again || again.error().code() == Errc::not_found);
    expect_rows(0, 0, 0);
    if (!fate->dead) break;
    ASSERT_LT(commits, 6U);
  }
}

}  // namespace
}  // namespace kiseki::fs::detail
