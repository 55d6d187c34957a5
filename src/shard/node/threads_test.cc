#include <filesystem>
#include <future>
#include <gtest/gtest.h>

#include "disk/disk.h"
#include "raft/log.h"
#include "shard/node.h"
#include "shard/testing/shard_world.h"

namespace kiseki::shard {
namespace {

using detail::record_of_test;
using detail::test_namespace;
using detail::transaction_of_test;
using detail::value_of;
using Type = Assert::Type;

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
    store_ = std::move(*store);
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
  std::unique_ptr<kv::KvStore> store_;
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

}  // namespace
}  // namespace kiseki::shard
