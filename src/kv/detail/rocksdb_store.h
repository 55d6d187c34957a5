#pragma once

#include <memory>
#include <rocksdb/db.h>
#include <string_view>
#include <vector>

#include "kv/detail/memory_budget.h"
#include "kv/kv_store.h"

namespace kiseki::kv::detail {

/// The error of a RocksDB status; `what` is the call.
Error error_of(std::string_view what, const rocksdb::Status& status);

inline rocksdb::Slice slice(View view) { return {reinterpret_cast<const char*>(view.data()), view.size()}; }

class RocksDbStore final : public KvStore {
 public:
  RocksDbStore(std::filesystem::path directory, std::shared_ptr<MemoryBudget> memory,
               std::unique_ptr<rocksdb::DB> database, std::vector<rocksdb::ColumnFamilyHandle*> families);
  ~RocksDbStore() override;

  Result<> write(const Batch& batch, Blocking blocking) override;
  Result<std::optional<std::string>> get(Family family, View key, const Snapshot* at,
                                         Blocking blocking) override;
  std::unique_ptr<Snapshot> snapshot() override;
  std::unique_ptr<Iterator> iterate(Family family, Range range, const Snapshot* at,
                                    Blocking blocking) override;
  Result<> flush() override;
  Result<std::optional<std::string>> get_durable(Family family, View key) override;
  Bytes unflushed() const override;
  Result<> room() const override;

 private:
  rocksdb::ColumnFamilyHandle* family(Family number) const;
  Result<std::optional<std::string>> read(const rocksdb::ReadOptions& options, Family family, View key) const;

  const std::filesystem::path directory_;
  std::shared_ptr<MemoryBudget> memory_;  // shared by all stores of the process
  std::unique_ptr<rocksdb::DB> database_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;  // by number; closed before the database
};

}  // namespace kiseki::kv::detail
