#include "bench/commits.h"

#include <algorithm>
#include <atomic>
#include <fmt/format.h>
#include <future>
#include <unistd.h>

#include <boost/asio/use_future.hpp>

#include "bench/limits.h"
#include "disk/disk.h"
#include "raft/log.h"
#include "shard/node.h"

namespace kiseki::bench {

namespace {

constexpr NamespaceId ns{77};

/// Passes everything on but the flush.
class UnsyncedFile final : public disk::File {
 public:
  explicit UnsyncedFile(std::unique_ptr<disk::File> inner) : inner_(std::move(inner)) {}
  Task<Result<>> read(Bytes offset, MutableView into) override { return inner_->read(offset, into); }
  Task<Result<>> write(Bytes offset, View from) override { return inner_->write(offset, from); }
  Task<Result<>> sync() override { co_return Result<>(); }
  Task<Result<>> allocate(Bytes offset, Bytes length) override { return inner_->allocate(offset, length); }
  Task<Result<>> resize(Bytes size) override { return inner_->resize(size); }
  Bytes size() const override { return inner_->size(); }
  Bytes alignment() const override { return inner_->alignment(); }

 private:
  std::unique_ptr<disk::File> inner_;
};

class UnsyncedDisk final : public disk::Disk {
 public:
  explicit UnsyncedDisk(disk::Disk& inner) : inner_(inner) {}
  Task<Result<std::unique_ptr<disk::File>>> open(std::filesystem::path path,
                                                 disk::OpenOptions options) override {
    auto file = co_await inner_.open(std::move(path), options);
    if (!file) co_return fail(std::move(file).error());
    co_return std::make_unique<UnsyncedFile>(std::move(*file));
  }
  Task<Result<>> make_directory(std::filesystem::path path) override {
    return inner_.make_directory(std::move(path));
  }
  Task<Result<std::vector<std::string>>> list(std::filesystem::path directory) override {
    return inner_.list(std::move(directory));
  }
  Task<Result<>> rename(std::filesystem::path from, std::filesystem::path to) override {
    return inner_.rename(std::move(from), std::move(to));
  }
  Task<Result<>> remove(std::filesystem::path path) override { return inner_.remove(std::move(path)); }
  Task<Result<>> sync_directory(std::filesystem::path) override { co_return Result<>(); }
  Task<Result<disk::SpaceReport>> space(std::filesystem::path path) override {
    return inner_.space(std::move(path));
  }

 private:
  disk::Disk& inner_;
};

template <class T>
T expect(Result<T> result, const char* what) {
  if (!result) throw std::runtime_error(fmt::format("{}: {}", what, result.error().to_string()));
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// A node of two cores in a scratch directory; goes with it.
class Bench {
 public:
  Bench(const std::filesystem::path& parent, bool with_flushes) {
    std::string name = (parent / "kiseki-commits-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no scratch directory: " + name);
    directory_ = name;
    for (auto& core : cores_) core.start();
    store_ = expect(kv::open_rocksdb({directory_ / "shards", shard::Node::families(), memory_}), "store");
    disk_ = expect(disk::make_disk(disk::Mode::automatic, cores_[0]), "disk");
    if (!with_flushes) unsynced_ = std::make_unique<UnsyncedDisk>(*disk_);
    disk::Disk& disk = unsynced_ ? static_cast<disk::Disk&>(*unsynced_) : *disk_;
    log_ = expect(run(raft::Log::open(disk, cores_[0].executor(), cores_[0].clock(),
                                      {.directory = directory_ / "log"})),
                  "log");
    const std::vector<shard::CoreServices> services{{cores_[0].executor(), &cores_[0].clock()},
                                                    {cores_[1].executor(), &cores_[1].clock()}};
    node_ = expect(run(shard::Node::open({}, {*store_, *log_, services, pool_})), "node");
    for (std::size_t i = 0; i < cores_.size(); ++i) {
      clients_[i] = expect(run(node_->connect(services[i], i)), "client");
    }
  }
  ~Bench() {
    for (auto& client : clients_) client.reset();
    asio::co_spawn(cores_[0].executor(), node_->stop(), asio::use_future).get();
    asio::co_spawn(cores_[0].executor(), log_->stop(), asio::use_future).get();
    node_.reset();
    log_.reset();
    disk_.reset();
    store_.reset();
    for (auto& core : cores_) core.join();
    pool_.join();
    std::filesystem::remove_all(directory_);
  }

  double commits_per_second(std::size_t users, double seconds) {
    std::atomic<bool> stop = false;
    std::vector<std::future<std::uint64_t>> all;
    const auto began = std::chrono::steady_clock::now();
    for (std::uint64_t user = 0; user < users; ++user) {
      all.push_back(asio::co_spawn(cores_[user % 2].executor(), commit_until(*clients_[user % 2], user, stop),
                                   asio::use_future));
    }
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    stop = true;
    std::uint64_t commits = 0;
    for (auto& one : all) commits += one.get();
    const auto passed = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    return static_cast<double>(commits) / passed;
  }

 private:
  template <class T>
  T run(Task<T> task) {
    return asio::co_spawn(cores_[0].executor(), std::move(task), asio::use_future).get();
  }

  /// New rows of half a KiB, each in a leaf of its own: spread over the shards.
  static Task<std::uint64_t> commit_until(shard::Client& client, std::uint64_t user,
                                          std::atomic<bool>& stop) {
    std::uint64_t commits = 0;
    while (!stop) {
      const InodeId container((user + 1) << 32 | commits);
      const auto row =
          shard::key({ns, container, LeafId(0)}, shard::Kind::inode, shard::item_of(container.value()));
      shard::Record record;
      record.value = crypto::Sealed::from_store(std::string(512, 'x'));
      shard::Transaction transaction;
      transaction.namespaces = {{ns, 1}};
      transaction.require(shard::Assert::Type::absent, row).put(row, std::move(record));
      const auto outcome = co_await client.commit(std::move(transaction));
      if (!outcome || !outcome->committed()) throw std::runtime_error("a commit failed");
      ++commits;
    }
    co_return commits;
  }

  std::filesystem::path directory_;
  std::array<Core, 2> cores_;
  BlockingPool pool_{2};
  std::shared_ptr<kv::MemoryBudget> memory_ = kv::make_memory_budget(96_MiB, 96_MiB);
  std::unique_ptr<kv::KvStore> store_;
  std::unique_ptr<disk::Disk> disk_;
  std::unique_ptr<UnsyncedDisk> unsynced_;
  std::unique_ptr<raft::Log> log_;
  std::unique_ptr<shard::Node> node_;
  std::array<std::unique_ptr<shard::Client>, 2> clients_;
};

}  // namespace

void measure_commits(const CommitOptions& options) {
  fmt::print("fdatasync of 4 KiB here: {:.0f} us (median)\n", fdatasync_microseconds(options.directory));
  double with = 0, without = 0;
  for (int round = 0; round < 2; ++round) {
    with =
        std::max(with, Bench(options.directory, true).commits_per_second(options.clients, options.seconds));
    without = std::max(without,
                       Bench(options.directory, false).commits_per_second(options.clients, options.seconds));
  }
  fmt::print("{} clients, 4 shards: {:.0f} commits/s with flushes, {:.0f} without: ratio {:.2f}\n",
             options.clients, with, without, with / without);
}

}  // namespace kiseki::bench
