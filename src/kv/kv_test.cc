#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/detached.hpp>

#include "base/rng.h"
#include "kv/kv_store.h"
#include "kv/off_loop.h"
#include "sim/crashable_kv.h"

namespace kiseki::kv {
namespace {

constexpr Family rows = 0, feeds = 1;

/// A new directory on a real disk, removed afterwards.
class Directory {
 public:
  Directory() {
    std::string name = "/var/tmp/kiseki-kv-XXXXXX";
    path = ::mkdtemp(name.data());
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

/// A store that can lose what it did not flush.
class Subject {
 public:
  virtual ~Subject() = default;
  virtual KvStore& store() = 0;
  virtual void crash(std::uint64_t seed) = 0;
};

class Simulated final : public Subject {
 public:
  KvStore& store() override { return store_; }
  void crash(std::uint64_t seed) override { store_.crash(seed); }

 private:
  sim::CrashableKv store_{2};
};

class Real final : public Subject {
 public:
  Real() { open(); }
  KvStore& store() override { return *store_; }
  void crash(std::uint64_t) override {
    store_.reset();
    open();
  }

 private:
  void open() {
    auto opened = open_rocksdb({directory_.path / "db", {"rows", "feeds"}, memory_});
    ASSERT_TRUE(opened) << opened.error().to_string();
    store_ = std::move(*opened);
  }
  Directory directory_;
  std::shared_ptr<MemoryBudget> memory_ = make_memory_budget(8_MiB, 8_MiB);
  std::unique_ptr<KvStore> store_;
};

class Stores : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (std::string_view(GetParam()) == "rocksdb") {
      subject_ = std::make_unique<Real>();
    } else {
      subject_ = std::make_unique<Simulated>();
    }
  }
  KvStore& store() { return subject_->store(); }
  void put(std::string key, std::string value, Family family = rows) {
    Batch batch;
    batch.put(family, std::move(key), std::move(value));
    ASSERT_TRUE(store().write(batch));
  }
  std::string get(std::string_view key, Family family = rows, const Snapshot* at = nullptr) {
    return store().get(family, as_view(key), at)->value_or("-");
  }
  std::string list(Range range, const Snapshot* at = nullptr) {
    const auto iterator = store().iterate(rows, range, at);
    std::string keys;
    for (iterator->seek(as_view(range.from)); iterator->valid(); iterator->next()) {
      keys += std::string(as_text(iterator->key())) + " ";
    }
    EXPECT_TRUE(iterator->status());
    return keys;
  }
  std::unique_ptr<Subject> subject_;
};

TEST_P(Stores, a_batch_spans_families_and_later_changes_win) {
  Batch batch;
  batch.put(rows, "a", "1");
  batch.put(feeds, "a", "2");
  batch.put(rows, "b", "3");
  batch.erase(rows, "b");
  batch.put(rows, "c", "4");
  batch.put(rows, "c", "5");
  ASSERT_TRUE(store().write(batch));
  EXPECT_EQ(get("a"), "1");
  EXPECT_EQ(get("a", feeds), "2");
  EXPECT_EQ(get("b"), "-");
  EXPECT_EQ(get("c"), "5");
}

TEST_P(Stores, erases_ranges) {
  for (const auto* key : {"a", "b", "c", "d"}) put(key, "v");
  Batch batch;
  batch.erase_range(rows, {"b", "d"});
  ASSERT_TRUE(store().write(batch));
  EXPECT_EQ(list({}), "a d ");
  Batch rest;
  rest.erase_range(rows, {"b", ""});
  ASSERT_TRUE(store().write(rest));
  EXPECT_EQ(list({}), "a ");
}

TEST_P(Stores, a_snapshot_stays_as_it_was) {
  put("a", "1");
  const auto before = store().snapshot();
  put("a", "2");
  put("b", "1");
  EXPECT_EQ(get("a", rows, before.get()), "1");
  EXPECT_EQ(get("b", rows, before.get()), "-");
  EXPECT_EQ(list({}, before.get()), "a ");
  EXPECT_EQ(get("a"), "2");
}

TEST_P(Stores, iterates_within_the_range_both_ways) {
  for (const auto* key : {"a", "c", "e", "g"}) put(key, key);
  EXPECT_EQ(list({"b", "g"}), "c e ");
  const auto iterator = store().iterate(rows, {"b", "g"}, nullptr);
  iterator->seek_for_previous(as_view("d"));
  ASSERT_TRUE(iterator->valid());
  EXPECT_EQ(as_text(iterator->value()), "c");
  iterator->seek_for_previous(as_view("z"));
  ASSERT_TRUE(iterator->valid());
  EXPECT_EQ(as_text(iterator->value()), "e");
  iterator->seek_for_previous(as_view("b"));
  EXPECT_FALSE(iterator->valid());
}

TEST_P(Stores, an_iterator_does_not_see_later_writes) {
  put("a", "1");
  const auto iterator = store().iterate(rows, {}, nullptr);
  put("b", "1");
  std::size_t seen = 0;
  for (iterator->seek({}); iterator->valid(); iterator->next()) ++seen;
  EXPECT_EQ(seen, 1U);
}

TEST_P(Stores, only_a_flush_makes_writes_durable) {
  put("a", "1");
  put("f", "1", feeds);
  EXPECT_EQ(store().get_durable(rows, as_view("a"))->value_or("-"), "-");
  ASSERT_TRUE(store().flush());
  put("a", "2");
  EXPECT_EQ(store().get_durable(rows, as_view("a"))->value_or("-"), "1");
  EXPECT_EQ(store().get_durable(feeds, as_view("f"))->value_or("-"), "1");
  EXPECT_EQ(get("a"), "2");
}

TEST_P(Stores, unflushed_bytes_grow_with_writes) {
  const auto before = store().unflushed();
  for (int i = 0; i < 300; ++i) put("k" + std::to_string(i), std::string(4096, 'x'));
  EXPECT_GT(store().unflushed(), before + 1_MiB);
  ASSERT_TRUE(store().flush());
  EXPECT_LT(store().unflushed(), 1_MiB);
}

TEST_P(Stores, a_crash_leaves_a_prefix_not_shorter_than_the_flush) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const std::string round = std::to_string(seed) + "/";
    for (int i = 0; i < 10; ++i) {
      put(round + std::to_string(i), "v");
      put(round + std::to_string(i), "v", feeds);
      if (i == 4) {
        ASSERT_TRUE(store().flush());
      }
    }
    subject_->crash(seed);
    int kept = 0;
    while (kept < 10 && get(round + std::to_string(kept)) == "v") ++kept;
    EXPECT_GE(kept, 5);
    for (int i = 0; i < 10; ++i) EXPECT_EQ(get(round + std::to_string(i)), i < kept ? "v" : "-");
    int feeds_kept = 0;
    while (feeds_kept < 10 && get(round + std::to_string(feeds_kept), feeds) == "v") ++feeds_kept;
    EXPECT_TRUE(feeds_kept == kept || feeds_kept == kept - 1);
  }
}

/// What `read` gives without waiting for the disk, or what it gives with; how often it would have waited.
std::string read_somehow(const std::function<Result<std::string>(Blocking)>& read, int& misses) {
  auto value = read(Blocking::refused);
  if (value) return *value;
  EXPECT_EQ(value.error().code(), Errc::would_block);
  ++misses;
  return read(Blocking::allowed).value_or("failed");
}

TEST_P(Stores, what_may_not_block_answers_the_same_or_that_it_would) {
  for (int i = 0; i < 100; ++i) put("k" + std::to_string(i), std::string(1000, 'v'));
  ASSERT_TRUE(store().flush());
  subject_->crash(1);
  int misses = 0;
  for (int i = 0; i < 100; ++i) {
    const auto got = read_somehow(
        [&](Blocking blocking) -> Result<std::string> {
          auto value = store().get(rows, as_view("k" + std::to_string(i)), nullptr, blocking);
          if (!value) return fail(std::move(value).error());
          return value->value_or("-");
        },
        misses);
    EXPECT_EQ(got, std::string(1000, 'v'));
  }
  EXPECT_GT(misses, 0);
  EXPECT_LT(misses, 60);
}

TEST_P(Stores, a_walk_that_may_not_block_ends_where_it_would) {
  for (int i = 100; i < 200; ++i) put("k" + std::to_string(i), std::string(1000, 'v'));
  ASSERT_TRUE(store().flush());
  subject_->crash(1);
  const auto walk = [&](Blocking blocking) -> Result<std::string> {
    const auto iterator = store().iterate(rows, {}, nullptr, blocking);
    std::size_t seen = 0;
    for (iterator->seek({}); iterator->valid(); iterator->next()) ++seen;
    KISEKI_TRY(iterator->status());
    return std::to_string(seen);
  };
  int misses = 0;
  EXPECT_EQ(read_somehow(walk, misses), "100");
  EXPECT_EQ(misses, 1);
}

INSTANTIATE_TEST_SUITE_P(Kv, Stores, ::testing::Values("rocksdb", "simulated"),
                         [](const auto& info) { return std::string(info.param); });

TEST(CrashableKv, full_disk_fails_the_flush_and_loses_nothing) {
  sim::CrashableKv store(2);
  Batch batch;
  batch.put(rows, "a", "1");
  ASSERT_TRUE(store.write(batch));
  store.set_full(true);
  EXPECT_EQ(store.flush().error().code(), Errc::no_space);
  EXPECT_EQ(store.room().error().code(), Errc::no_space);
  EXPECT_EQ(store.get(rows, as_view("a"), nullptr)->value_or("-"), "1");
  store.set_full(false);
  EXPECT_TRUE(store.flush());
  EXPECT_EQ(store.get_durable(rows, as_view("a"))->value_or("-"), "1");
}

TEST(CrashableKv, a_write_that_would_block_has_done_nothing) {
  sim::CrashableKv store(2);
  int refused = 0;
  for (int i = 0; i < 100; ++i) {
    Batch batch;
    batch.put(rows, std::to_string(i), "v");
    const auto written = store.write(batch, Blocking::refused);
    if (!written) {
      EXPECT_EQ(written.error().code(), Errc::would_block);
      ++refused;
    }
    EXPECT_EQ(store.get(rows, as_view(std::to_string(i)))->has_value(), written.has_value());
  }
  EXPECT_GT(refused, 0);
}

TEST(CrashableKv, crashes_at_different_places_for_different_seeds) {
  std::map<int, int> lengths;
  for (std::uint64_t seed = 0; seed < 64; ++seed) {
    sim::CrashableKv store(2);
    for (int i = 0; i < 5; ++i) {
      Batch batch;
      batch.put(rows, std::to_string(i), "v");
      ASSERT_TRUE(store.write(batch));
    }
    store.crash(seed);
    int kept = 0;
    while (store.get(rows, as_view(std::to_string(kept)), nullptr)->has_value()) ++kept;
    ++lengths[kept];
  }
  EXPECT_EQ(lengths.size(), 6U);
}

class RocksDb : public ::testing::Test {
 protected:
  Errc open_error(std::vector<std::string> families = {"rows", "feeds"}) {
    const auto opened = open_rocksdb({directory_.path, std::move(families), memory_});
    if (opened) return Errc{};
    EXPECT_NE(opened.error().words().find(directory_.path.string()), std::string::npos);
    return opened.error().code();
  }
  void make() {
    auto store = open_rocksdb({directory_.path, {"rows", "feeds"}, memory_});
    ASSERT_TRUE(store) << store.error().to_string();
    Batch batch;
    batch.put(rows, "a", std::string(64, '1'));
    ASSERT_TRUE((*store)->write(batch));
    ASSERT_TRUE((*store)->flush());
  }
  void overwrite(std::string_view suffix, std::size_t from) {
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path)) {
      if (!entry.path().filename().string().ends_with(suffix)) continue;
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(static_cast<std::streamoff>(from));
      for (std::size_t i = from; i < entry.file_size(); ++i) file.put('\x5a');
    }
  }
  Directory directory_;
  std::shared_ptr<MemoryBudget> memory_ = make_memory_budget(8_MiB, 8_MiB);
};

TEST_F(RocksDb, refuses_a_directory_of_something_else_and_touches_nothing) {
  std::ofstream(directory_.path / "notes.txt") << "mine";
  EXPECT_EQ(open_error(), Errc::wrong_format);
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory_.path)) ++files;
  EXPECT_EQ(files, 1U);
}

TEST_F(RocksDb, refuses_a_database_with_other_families) {
  make();
  EXPECT_EQ(open_error({"index"}), Errc::wrong_format);
  EXPECT_EQ(open_error({"rows"}), Errc::wrong_format);
  EXPECT_EQ(open_error({"rows", "feeds", "more"}), Errc{});
}

TEST_F(RocksDb, is_busy_while_another_holds_it) {
  const auto first = open_rocksdb({directory_.path, {"rows", "feeds"}, memory_});
  ASSERT_TRUE(first);
  EXPECT_EQ(open_error(), Errc::busy);
}

TEST_F(RocksDb, is_busy_while_another_process_holds_it) {
  make();
  int ready[2], done[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(done), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    const auto held = open_rocksdb({directory_.path, {"rows", "feeds"}, memory_});
    const bool told = ::write(ready[1], held ? "1" : "0", 1) == 1;
    ::_exit(told && ::read(done[0], &byte, 1) == 1 ? 0 : 1);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_EQ(byte, '1');
  EXPECT_EQ(open_error(), Errc::busy);
  ASSERT_EQ(::write(done[1], "1", 1), 1);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(RocksDb, says_corrupted_when_the_manifest_is_damaged) {
  make();
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path)) {
    if (entry.path().filename().string().starts_with("MANIFEST")) {
      std::filesystem::resize_file(entry.path(), 40);
    }
  }
  EXPECT_EQ(open_error(), Errc::corrupted);
}

TEST_F(RocksDb, says_corrupted_when_a_table_is_missing) {
  make();
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path)) {
    if (entry.path().extension() == ".sst") std::filesystem::remove(entry.path());
  }
  EXPECT_EQ(open_error(), Errc::corrupted);
}

TEST_F(RocksDb, off_loop_reads_on_the_pool_what_is_not_in_memory) {
  make();
  auto store = open_rocksdb({directory_.path, {"rows", "feeds"}, memory_});
  ASSERT_TRUE(store);
  asio::io_context loop{1};
  BlockingPool pool(1);
  std::vector<Blocking> asked;
  std::vector<bool> here;
  const auto read = [&]() -> Task<> {
    const auto loop_thread = std::this_thread::get_id();
    for (int i = 0; i < 2; ++i) {
      const auto value = co_await off_loop(pool, [&](Blocking blocking) {
        asked.push_back(blocking);
        here.push_back(std::this_thread::get_id() == loop_thread);
        return (*store)->get(rows, as_view("a"), nullptr, blocking);
      });
      EXPECT_EQ(value->value_or("-"), std::string(64, '1'));
    }
  };
  asio::co_spawn(loop, read(), asio::detached);
  loop.run();
  // Cold at first, then from the cache.
  EXPECT_EQ(asked, (std::vector{Blocking::refused, Blocking::allowed, Blocking::refused}));
  EXPECT_EQ(here, (std::vector{true, false, true}));
}

/// Reads `b`, then walks over it, from memory alone.
std::vector<Errc> read_and_walk(KvStore& store) {
  const auto code_of = [](const auto& result) { return result ? Errc{} : result.error().code(); };
  const auto read = store.get(rows, as_view("b"), nullptr, Blocking::refused);
  const auto walk = store.iterate(rows, {}, nullptr, Blocking::refused);
  for (walk->seek({}); walk->valid(); walk->next()) std::ignore = walk->value();
  return {code_of(read), code_of(walk->status())};
}

TEST_F(RocksDb, large_values_are_read_from_their_file_and_then_from_memory) {
  make();
  const std::string large(16_KiB, '2');
  auto store = open_rocksdb({directory_.path, {"rows", "feeds"}, memory_});
  ASSERT_TRUE(store);
  Batch batch;
  batch.put(rows, "b", large);
  ASSERT_TRUE((*store)->write(batch));
  ASSERT_TRUE((*store)->flush());
  EXPECT_EQ((*store)->get(rows, as_view("a"))->value_or("-"), std::string(64, '1'));
  EXPECT_EQ(read_and_walk(**store), (std::vector{Errc::would_block, Errc::would_block}));
  EXPECT_EQ((*store)->get(rows, as_view("b"))->value_or("-"), large);
  EXPECT_EQ(read_and_walk(**store), (std::vector{Errc{}, Errc{}}));
}

TEST_F(RocksDb, never_answers_from_a_damaged_file_of_large_values) {
  make();
  {
    auto store = open_rocksdb({directory_.path, {"rows", "feeds"}, memory_});
    ASSERT_TRUE(store);
    Batch batch;
    batch.put(rows, "b", std::string(16_KiB, '2'));
    ASSERT_TRUE((*store)->write(batch));
    ASSERT_TRUE((*store)->flush());
  }
  overwrite(".blob", 1000);
  const auto store = open_rocksdb({directory_.path, {"rows", "feeds"}, memory_});
  ASSERT_TRUE(store);
  const auto value = (*store)->get(rows, as_view("b"));
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code(), Errc::corrupted);
}

TEST_F(RocksDb, never_answers_from_a_damaged_table) {
  make();
  overwrite(".sst", 20);
  const auto opened = open_rocksdb({directory_.path, {"rows", "feeds"}, memory_});
  if (!opened) {
    EXPECT_EQ(opened.error().code(), Errc::corrupted);
    return;
  }
  const auto value = (*opened)->get(rows, as_view("a"));
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code(), Errc::corrupted);
}

}  // namespace
}  // namespace kiseki::kv
