#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/buffer.h"
#include "base/result.h"

namespace kiseki::kv {

/// A column family: an ordered key space of its own, by its place in `Options::families`.
using Family = std::uint8_t;

struct Range {
  std::string from;  ///< First key of the range.
  std::string to;    ///< First key beyond it; empty: no end.
};

/// Changes that become visible together. Later ones win.
class Batch {
 public:
  struct Put {
    Family family;
    std::string key, value;
  };
  struct Erase {
    Family family;
    std::string key;
  };
  struct EraseRange {
    Family family;
    Range range;
  };
  using Change = std::variant<Put, Erase, EraseRange>;

  void put(Family family, std::string key, std::string value) {
    changes_.emplace_back(Put{family, std::move(key), std::move(value)});
  }
  void erase(Family family, std::string key) { changes_.emplace_back(Erase{family, std::move(key)}); }
  void erase_range(Family family, Range range) {
    changes_.emplace_back(EraseRange{family, std::move(range)});
  }
  const std::vector<Change>& changes() const noexcept { return changes_; }
  bool empty() const noexcept { return changes_.empty(); }
  void clear() noexcept { changes_.clear(); }

 private:
  std::vector<Change> changes_;
};

/// Whether a call may wait for the disk. Where it may not and would have to, it answers `would_block` and has
/// done nothing: the caller asks again where blocking is allowed (`off_loop`).
enum class Blocking : std::uint8_t { allowed, refused };

/// A view of all families at one moment. Short-lived: it keeps what was deleted since.
class Snapshot {
 public:
  virtual ~Snapshot() = default;
};

class Iterator {
 public:
  virtual ~Iterator() = default;
  virtual void seek(View key) = 0;               ///< To the first key ≥ `key`.
  virtual void seek_for_previous(View key) = 0;  ///< To the last key ≤ `key`.
  virtual void next() = 0;
  /// False at the end of its range, or on error: see `status`, which is `would_block` where the walk came to
  /// what is not in memory.
  virtual bool valid() const = 0;
  virtual View key() const = 0;  ///< Until the next move.
  virtual View value() const = 0;
  virtual Result<> status() const = 0;
};

/// An ordered key-value store without a log of its own: a write is in memory until `flush`, and what a flush
/// covers becomes durable as a whole, over all families. After a crash the store holds a prefix of the
/// writes, never less than the last flush. Reads and writes are safe from every core. With
/// `Blocking::refused` they never wait for the disk, with `allowed` they and `flush` belong on a pool.
class KvStore {
 public:
  virtual ~KvStore() = default;

  /// In order of the calls; visible at once. Waits where the store has fallen behind with flushes.
  virtual Result<> write(const Batch& batch, Blocking blocking = Blocking::allowed) = 0;
  virtual Result<std::optional<std::string>> get(Family family, View key, const Snapshot* at = nullptr,
                                                 Blocking blocking = Blocking::allowed) = 0;
  virtual std::unique_ptr<Snapshot> snapshot() = 0;
  /// Within `range`; at `at`, or the moment of the call.
  virtual std::unique_ptr<Iterator> iterate(Family family, Range range, const Snapshot* at = nullptr,
                                            Blocking blocking = Blocking::allowed) = 0;

  /// Blocks until everything written before the call is durable. `no_space` leaves the store as it was.
  virtual Result<> flush() = 0;
  /// The value as it would be after a crash now.
  virtual Result<std::optional<std::string>> get_durable(Family family, View key) = 0;
  /// Bytes of memory held by writes that no flush covers.
  virtual Bytes unflushed() const = 0;
  /// `no_space` while a flush might not fit on the disk: who adds data asks from time to time, because what
  /// was accepted must be written.
  virtual Result<> room() const = 0;
};

/// One memory budget for every store of a process.
class MemoryBudget;
std::shared_ptr<MemoryBudget> make_memory_budget(Bytes cache, Bytes write_buffers);

struct Options {
  std::filesystem::path directory;
  std::vector<std::string> families;
  std::shared_ptr<MemoryBudget> memory;  // shared by the stores of a process, which die in any order
};

/// RocksDB. `wrong_format` when the directory holds something else, `corrupted` when it is damaged, `busy`
/// when another process holds it.
Result<std::unique_ptr<KvStore>> open_rocksdb(const Options& options);

}  // namespace kiseki::kv
