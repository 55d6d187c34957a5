#include "kv/detail/rocksdb_store.h"

#include <fmt/format.h>
#include <rocksdb/write_batch.h>

#include "base/assert.h"
#include "base/logging.h"
#include "base/metrics.h"

namespace kiseki::kv::detail {

namespace {

metrics::Counter stalls("kiseki_kv_stalled_writes_total",
                        "Writes that had to wait for RocksDB to flush or compact.");
metrics::Counter misses("kiseki_kv_misses_total", "Reads that memory could not answer and the disk had to.");
metrics::Counter flushes("kiseki_kv_flushes_total", "Flushes of a store's unflushed writes.");

/// Keys are shorter than this, so it stands behind them all.
const std::string beyond_all(256, '\xff');

constexpr Bytes space_reserve = 64_MiB;

class RocksDbSnapshot final : public Snapshot {
 public:
  explicit RocksDbSnapshot(rocksdb::DB& database) : database_(database), snapshot_(database.GetSnapshot()) {}
  RocksDbSnapshot(const RocksDbSnapshot&) = delete;
  RocksDbSnapshot& operator=(const RocksDbSnapshot&) = delete;
  ~RocksDbSnapshot() override { database_.ReleaseSnapshot(snapshot_); }
  const rocksdb::Snapshot* get() const { return snapshot_; }

 private:
  rocksdb::DB& database_;
  const rocksdb::Snapshot* snapshot_;
};

rocksdb::ReadOptions read_options(const Snapshot* at, Blocking blocking) {
  rocksdb::ReadOptions options;
  if (at != nullptr) options.snapshot = static_cast<const RocksDbSnapshot*>(at)->get();
  if (blocking == Blocking::refused) options.read_tier = rocksdb::kBlockCacheTier;
  return options;
}

class RocksDbIterator final : public Iterator {
 public:
  RocksDbIterator(rocksdb::DB& database, rocksdb::ColumnFamilyHandle* family, Range range,
                  rocksdb::ReadOptions options)
      : range_(std::move(range)), from_(range_.from), to_(range_.to) {
    options.iterate_lower_bound = &from_;
    if (!range_.to.empty()) options.iterate_upper_bound = &to_;
    iterator_.reset(database.NewIterator(options, family));
  }

  void seek(View key) override { iterator_->Seek(slice(key)); }
  void seek_for_previous(View key) override { iterator_->SeekForPrev(slice(key)); }
  void next() override { iterator_->Next(); }
  bool valid() const override { return iterator_->Valid(); }
  View key() const override { return as_view(iterator_->key().ToStringView()); }
  View value() const override { return as_view(iterator_->value().ToStringView()); }
  Result<> status() const override {
    const auto status = iterator_->status();
    if (status.IsIncomplete()) misses.add();
    if (!status.ok()) return fail(error_of("scan", status));
    return {};
  }

 private:
  Range range_;
  rocksdb::Slice from_, to_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

/// No less than what RocksDB makes of it, or little less.
std::size_t encoded_size(const Batch& batch) {
  constexpr std::size_t overhead = 16;
  std::size_t size = overhead;
  for (const auto& change : batch.changes()) {
    size += overhead;
    if (const auto* put = std::get_if<Batch::Put>(&change)) size += put->key.size() + put->value.size();
    if (const auto* erase = std::get_if<Batch::Erase>(&change)) size += erase->key.size();
  }
  return size;
}

}  // namespace

Error error_of(std::string_view what, const rocksdb::Status& status) {
  auto code = Errc::io_error;
  if (status.IsNoSpace() || status.subcode() == rocksdb::Status::kSpaceLimit) code = Errc::no_space;
  if (status.IsCorruption()) code = Errc::corrupted;
  if (status.IsBusy() || status.IsTryAgain()) code = Errc::busy;
  // No words: it is an everyday answer.
  if (status.IsIncomplete()) return Error(Errc::would_block);
  return Error(code, fmt::format("kv: {}: {}", what, status.ToString()));
}

RocksDbStore::RocksDbStore(std::filesystem::path directory, std::shared_ptr<MemoryBudget> memory,
                           std::unique_ptr<rocksdb::DB> database,
                           std::vector<rocksdb::ColumnFamilyHandle*> families)
    : directory_(std::move(directory)),
      memory_(std::move(memory)),
      database_(std::move(database)),
      families_(std::move(families)) {}

RocksDbStore::~RocksDbStore() {
  for (auto* handle : families_) database_->DestroyColumnFamilyHandle(handle);
  if (const auto status = database_->Close(); !status.ok()) {
    log::warning("kv", "closing: {}", status.ToString());
  }
}

rocksdb::ColumnFamilyHandle* RocksDbStore::family(Family number) const {
  KISEKI_ASSERT(number < families_.size());
  return families_[number];
}

Result<> RocksDbStore::write(const Batch& batch, Blocking blocking) {
  rocksdb::WriteBatch changes(encoded_size(batch));
  for (const auto& change : batch.changes()) {
    if (const auto* put = std::get_if<Batch::Put>(&change)) {
      changes.Put(family(put->family), put->key, put->value);
    } else if (const auto* erase = std::get_if<Batch::Erase>(&change)) {
      changes.Delete(family(erase->family), erase->key);
    } else {
      const auto& range = std::get<Batch::EraseRange>(change);
      const auto& to = range.range.to.empty() ? beyond_all : range.range.to;
      changes.DeleteRange(family(range.family), range.range.from, to);
    }
  }
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  options.no_slowdown = blocking == Blocking::refused;
  auto status = database_->Write(options, &changes);
  if (status.IsIncomplete()) stalls.add();
  if (status.IsNoSpace()) {
    // A flush met a full disk. With room again the store resumes, which takes its time.
    if (blocking == Blocking::refused) return fail(Errc::would_block);
    if (database_->Resume().ok()) status = database_->Write(options, &changes);
  }
  if (!status.ok()) return fail(error_of("write", status));
  return {};
}

Result<std::optional<std::string>> RocksDbStore::read(const rocksdb::ReadOptions& options, Family number,
                                                      View key) const {
  rocksdb::PinnableSlice value;
  const auto status = database_->Get(options, family(number), slice(key), &value);
  if (status.IsNotFound()) return std::nullopt;
  if (status.IsIncomplete()) misses.add();
  if (!status.ok()) return fail(error_of("get", status));
  return value.ToString();
}

Result<std::optional<std::string>> RocksDbStore::get(Family family, View key, const Snapshot* at,
                                                     Blocking blocking) {
  return read(read_options(at, blocking), family, key);
}

Result<std::optional<std::string>> RocksDbStore::get_durable(Family family, View key) {
  rocksdb::ReadOptions options;
  options.read_tier = rocksdb::kPersistedTier;
  return read(options, family, key);
}

std::unique_ptr<Snapshot> RocksDbStore::snapshot() { return std::make_unique<RocksDbSnapshot>(*database_); }

std::unique_ptr<Iterator> RocksDbStore::iterate(Family number, Range range, const Snapshot* at,
                                                Blocking blocking) {
  return std::make_unique<RocksDbIterator>(*database_, family(number), std::move(range),
                                           read_options(at, blocking));
}

Result<> RocksDbStore::flush() {
  flushes.add();
  rocksdb::FlushOptions options;
  options.wait = true;
  options.allow_write_stall = true;
  if (const auto status = database_->Flush(options, families_); !status.ok()) {
    return fail(error_of("flush", status));
  }
  return {};
}

Result<> RocksDbStore::room() const {
  std::error_code error;
  const auto space = std::filesystem::space(directory_, error);
  if (error) return fail(Errc::io_error, fmt::format("kv: {}: {}", directory_.string(), error.message()));
  // Twice what a flush writes, for the compaction behind it, and a share that no flush may take.
  const Bytes needed = 2 * unflushed() + std::min(space_reserve, space.capacity / 50);
  if (space.available >= needed) return {};
  return fail(Errc::no_space, fmt::format("kv: {}: {} MiB free", directory_.string(), space.available >> 20));
}

Bytes RocksDbStore::unflushed() const {
  std::uint64_t bytes = 0;
  database_->GetAggregatedIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables, &bytes);
  return bytes;
}

}  // namespace kiseki::kv::detail
