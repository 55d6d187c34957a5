#include <fmt/format.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/assert.h"
#include "kv/detail/rocksdb_store.h"

namespace kiseki::kv {

namespace {

/// A thread that flushes or compacts gives way to the loops, and keeps a quarter of a core beside a busy one:
/// what falls behind for long stops writes.
class GivesWay final : public rocksdb::EventListener {
 public:
  void OnFlushBegin(rocksdb::DB*, const rocksdb::FlushJobInfo&) override { give_way(); }
  void OnCompactionBegin(rocksdb::DB*, const rocksdb::CompactionJobInfo&) override { give_way(); }

 private:
  static void give_way() {
    static constexpr int niceness = 5;
    thread_local const bool has_given_way =
        ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), niceness) == 0;
    std::ignore = has_given_way;
  }
};

rocksdb::DBOptions database_options(const MemoryBudget& memory) {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.atomic_flush = true;
  options.avoid_flush_during_shutdown = true;
  options.paranoid_checks = true;
  options.write_buffer_manager = memory.buffers;
  options.max_background_jobs = 2;
  options.max_open_files = 256;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 4_MiB;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.bytes_per_sync = 1_MiB;
  options.listeners.push_back(std::make_shared<GivesWay>());
  return options;
}

/// Values are ciphertext: nothing compresses. Those as large as a body lie in files of their own, so that
/// they are written once and not again with every level that their key sinks. Stops are far away, because a
/// committed write cannot be refused.
rocksdb::ColumnFamilyOptions family_options(const MemoryBudget& memory) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = memory.cache;
  table.block_size = 8_KiB;
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = rocksdb::kNoCompression;
  options.write_buffer_size = 64_MiB;
  options.max_write_buffer_number = 6;
  options.level0_slowdown_writes_trigger = 40;
  options.level0_stop_writes_trigger = 64;
  options.level_compaction_dynamic_level_bytes = true;
  options.enable_blob_files = true;
  options.min_blob_size = 2_KiB;
  options.blob_cache = memory.cache;
  options.enable_blob_garbage_collection = true;
  options.blob_garbage_collection_force_threshold = 0.5;
  return options;
}

/// Absent and empty directories are fine; others hold a database.
Result<bool> holds_database(const std::filesystem::path& directory) {
  std::error_code error;
  if (!std::filesystem::exists(directory, error)) return false;
  auto entry = std::filesystem::directory_iterator(directory, error);
  if (error) return fail(Errc::io_error, fmt::format("kv: {}: {}", directory.string(), error.message()));
  if (entry == std::filesystem::directory_iterator()) return false;
  if (std::filesystem::exists(directory / "CURRENT", error)) return true;
  for (; entry != std::filesystem::directory_iterator(); ++entry) {
    const auto name = entry->path().filename().string();
    const bool is_left_by_a_first_open = name.starts_with("LOG") || name.starts_with("MANIFEST") ||
                                         name.ends_with(".dbtmp") || name == "LOCK" || name == "IDENTITY";
    if (!is_left_by_a_first_open) {
      return fail(Errc::wrong_format,
                  fmt::format("kv: {} holds something else: {}", directory.string(), name));
    }
  }
  return false;
}

/// What is there must be a beginning of what is asked for: a newer build may add families.
Result<> check_families(const rocksdb::DBOptions& options, const Options& wanted) {
  std::vector<std::string> found;
  const auto status = rocksdb::DB::ListColumnFamilies(options, wanted.directory.string(), &found);
  if (!status.ok()) {
    return fail(Error(status.IsIOError() ? Errc::io_error : Errc::corrupted,
                      fmt::format("kv: {}: {}", wanted.directory.string(), status.ToString())));
  }
  const bool is_ours = found.size() <= wanted.families.size() + 1 && found.front() == "default" &&
                       std::equal(found.begin() + 1, found.end(), wanted.families.begin());
  if (!is_ours) {
    return fail(Errc::wrong_format, fmt::format("kv: {} holds another store: its column families are {}",
                                                wanted.directory.string(), fmt::join(found, ", ")));
  }
  return {};
}

Error open_error(const Options& options, const rocksdb::Status& status) {
  const auto words = status.ToString();
  const bool is_held = words.find("lock hold") != std::string::npos ||
                       (words.find("lock file") != std::string::npos &&
                        words.find("temporarily unavailable") != std::string::npos);
  if (is_held) {
    return Error(Errc::busy, fmt::format("kv: {} is in use by another process", options.directory.string()));
  }
  return detail::error_of(fmt::format("open {}", options.directory.string()), status);
}

}  // namespace

Result<std::unique_ptr<KvStore>> open_rocksdb(const Options& options) {
  KISEKI_ASSERT(options.memory != nullptr && !options.families.empty());
  std::error_code error;
  std::filesystem::create_directories(options.directory, error);
  if (error)
    return fail(Errc::io_error, fmt::format("kv: {}: {}", options.directory.string(), error.message()));
  const auto holds = holds_database(options.directory);
  if (!holds) return fail(holds.error());
  const auto database = database_options(*options.memory);
  if (*holds) KISEKI_TRY(check_families(database, options));

  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  descriptors.emplace_back("default", family_options(*options.memory));
  for (const auto& name : options.families) descriptors.emplace_back(name, family_options(*options.memory));
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  const auto status = rocksdb::DB::Open(database, options.directory.string(), descriptors, &handles, &opened);
  if (!status.ok()) return fail(open_error(options, status));
  std::unique_ptr<rocksdb::DB> owner(opened);
  opened->DestroyColumnFamilyHandle(handles.front());
  handles.erase(handles.begin());
  return std::make_unique<detail::RocksDbStore>(options.directory, options.memory, std::move(owner),
                                                std::move(handles));
}

}  // namespace kiseki::kv
