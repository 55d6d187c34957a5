#include <filesystem>
#include <future>
#include <gtest/gtest.h>
#include <set>
#include <thread>

#include "disk/disk.h"
#include "raft/log.h"
#include "shard/node.h"
#include "shard/rows/families.h"
#include "shard/testing/shard_world.h"

namespace kiseki::shard {
namespace {

using detail::record_of_test;
using detail::test_namespace;
using detail::transaction_of_test;
using detail::value_of;
using Type = Assert::Type;

/// Counts walks over rows that may wait for the disk, on threads that must not.
class WatchedStore final : public kv::KvStore {
 public:
  WatchedStore(std::unique_ptr<kv::KvStore> inner, std::set<std::thread::id> threads)
      : inner_(std::move(inner)), threads_(std::move(threads)) {}
  std::size_t waits() const { return waits_; }

  Result<> write(const kv::Batch& batch, kv::Blocking blocking) override {
    return inner_->write(batch, blocking);
  }
  Result<std::optional<std::string>> get(kv::Family family, View key, const kv::Snapshot* at,
                                         kv::Blocking blocking) override {
    return inner_->get(family, key, at, blocking);
  }
  std::unique_ptr<kv::Snapshot> snapshot() override { return inner_->snapshot(); }
  std::unique_ptr<kv::Iterator> iterate(kv::Family family, kv::Range range, const kv::Snapshot* at,
                                        kv::Blocking blocking) override {
    const bool may_wait = blocking == kv::Blocking::allowed && family != detail::family_state;
    if (may_wait && threads_.contains(std::this_thread::get_id())) ++waits_;
    return inner_->iterate(family, std::move(range), at, blocking);
  }
  Result<> flush() override { return inner_->flush(); }
  Result<std::optional<std::string>> get_durable(kv::Family family, View key) override {
    return inner_->get_durable(family, key);
  }
  Bytes unflushed() const override { return inner_->unflushed(); }
  Result<> room() const override { return inner_->room(); }

 private:
  std::unique_ptr<kv::KvStore> inner_;
  const std::set<std::thread::id> threads_;
  std::atomic<std::size_t> waits_ = 0;
};

/// A node on two threads, RocksDB and a real disk.
class ThreadsTest : public ::testing::Test {
 protected:
  ThreadsTest() {
    std::string name = "/var/tmp/kiseki-shard-XXXXXX";
    directory_ = ::mkdtemp(name.data());
    for (auto& core : cores_) core.start();
  }
  ~ThreadsTest() override {
    stop();
    for (auto& core : cores_) core.join();
    pool_.join();
    std::filesystem::remove_all(directory_);
  }
  template <class T>
  T run(Core& core, Task<T> task) {
    return asio::co_spawn(core.executor(), std::move(task), asio::use_future).get();
  }
  void run_void(Core& core, Task<> task) {
    asio::co_spawn(core.executor(), std::move(task), asio::use_future).get();
  }
  void open() {
    auto store = kv::open_rocksdb({directory_ / "shards", Node::families(), memory_});
    ASSERT_TRUE(store) << store.error().to_string();
    store_ = std::make_unique<WatchedStore>(std::move(*store), threads());
    auto disk = disk::make_disk(disk::Mode::automatic, cores_[0]);
    ASSERT_TRUE(disk) << disk.error().to_string();
    disk_ = std::move(*disk);
    raft::Log::Options options;
    options.directory = directory_ / "log";
    options.segment_size = 4_MiB;
    auto log = run(cores_[0], raft::Log::open(*disk_, cores_[0].executor(), cores_[0].clock(), options));
    ASSERT_TRUE(log) << log.error().to_string();
    log_ = std::move(*log);
    auto node = run(cores_[0], Node::open({}, {*store_, *log_, {services(0), services(1)}, pool_}));
    ASSERT_TRUE(node) << node.error().to_string();
    node_ = std::move(*node);
    for (std::size_t i = 0; i < cores_.size(); ++i) {
      auto client = run(cores_[0], node_->connect(services(i), i));
      ASSERT_TRUE(client) << client.error().to_string();
      clients_[i] = std::move(*client);
    }
  }
  std::set<std::thread::id> threads() {
    std::set<std::thread::id> ids;
    const auto id = []() -> Task<std::thread::id> { co_return std::this_thread::get_id(); };
    for (auto& core : cores_) ids.insert(run(core, id()));
    return ids;
  }
  void stop() {
    for (auto& client : clients_) client.reset();
    if (node_) run_void(cores_[0], node_->stop());
    if (log_) run_void(cores_[0], log_->stop());
    node_.reset();
    log_.reset();
    disk_.reset();
    store_.reset();
  }
  CoreServices services(std::size_t core) { return {cores_[core].executor(), &cores_[core].clock()}; }

  static Key row(std::uint64_t container) {
    return key({test_namespace, InodeId(container), LeafId(0)}, Kind::inode, item_of(container));
  }
  /// Two rows a transaction, of two containers: often in two shards.
  static Task<std::size_t> write(Client& client, std::uint64_t from, std::uint64_t count) {
    std::size_t committed = 0;
    for (std::uint64_t i = from; i < from + count; ++i) {
      auto transaction = transaction_of_test();
      for (const auto container : {2 * i, 2 * i + 1}) {
        transaction.require(Type::absent, row(container)).put(row(container), record_of_test("v"));
      }
      const auto outcome = co_await client.commit(std::move(transaction));
      if (outcome && outcome->committed()) ++committed;
    }
    co_return committed;
  }
  static Task<std::size_t> count(Client& client, std::uint64_t rows) {
    ReadRequest request;
    for (std::uint64_t i = 0; i < rows; ++i) request.gets.push_back({row(i), false});
    const auto reply = co_await client.read(std::move(request));
    std::size_t found = 0;
    for (const auto& got : reply->gets) found += got.record.has_value() ? 1 : 0;
    co_return found;
  }

  std::filesystem::path directory_;
  std::array<Core, 2> cores_;
  BlockingPool pool_{2};
  std::shared_ptr<kv::MemoryBudget> memory_ = kv::make_memory_budget(8_MiB, 8_MiB);
  std::unique_ptr<WatchedStore> store_;
  std::unique_ptr<disk::Disk> disk_;
  std::unique_ptr<raft::Log> log_;
  std::unique_ptr<Node> node_;
  std::array<std::unique_ptr<Client>, 2> clients_;
};

TEST_F(ThreadsTest, users_of_both_cores_write_to_all_shards) {
  open();
  std::vector<std::future<std::size_t>> writers;
  for (std::uint64_t i = 0; i < 8; ++i) {
    writers.push_back(
        asio::co_spawn(cores_[i % 2].executor(), write(*clients_[i % 2], i * 20, 20), asio::use_future));
  }
  for (auto& writer : writers) EXPECT_EQ(writer.get(), 20U);
  EXPECT_EQ(run(cores_[1], count(*clients_[1], 320)), 320U);
  stop();
  open();
  EXPECT_EQ(run(cores_[0], count(*clients_[0], 320)), 320U);
  EXPECT_FALSE(node_->failure());
}

TEST_F(ThreadsTest, scans_of_many_rows_do_not_wait_for_the_disk_on_a_core) {
  open();
  constexpr std::uint64_t rows = 40;
  for (std::uint64_t i = 0; i < rows; ++i) {
    auto transaction = transaction_of_test();
    transaction.put_stamped(key({test_namespace, InodeId(i), LeafId(0)}, Kind::garbage, item_of(i)),
                            record_of_test("v"));
    ASSERT_TRUE(run(cores_[0], clients_[0]->commit(std::move(transaction)))->committed());
  }
  ASSERT_TRUE(store_->flush());
  stop();
  open();
  const std::size_t before = store_->waits();
  std::size_t found = 0;
  for (const auto shard : clients_[0]->shards()) {
    const auto scanned = run(cores_[0], clients_[0]->scan(shard, Kind::garbage, {}, 100));
    ASSERT_TRUE(scanned) << scanned.error().to_string();
    found += scanned->size();
    const auto references = node_->references();
    EXPECT_TRUE(run(cores_[0], references.judge(shard, {ChunkName{}})));
    EXPECT_TRUE(run(cores_[0], references.lost(shard, {}, GcEpoch(9))));
  }
  EXPECT_EQ(found, rows);
  EXPECT_EQ(store_->waits(), before);
}

}  // namespace
}  // namespace kiseki::shard
