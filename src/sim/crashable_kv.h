#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/rng.h"
#include "kv/kv_store.h"

namespace kiseki::sim {

/// A key-value store in memory that keeps the promises of `kv::KvStore` and not more: a crash leaves a prefix
/// of the writes, chosen by seed, never less than the last flush; and of the calls that may not wait for the
/// disk some would have to, by another.
class CrashableKv final : public kv::KvStore {
 public:
  explicit CrashableKv(std::size_t families, std::uint64_t seed = 1);
  ~CrashableKv() override;

  Result<> write(const kv::Batch& batch, kv::Blocking blocking = kv::Blocking::allowed) override;
  Result<std::optional<std::string>> get(kv::Family family, View key, const kv::Snapshot* at = nullptr,
                                         kv::Blocking blocking = kv::Blocking::allowed) override;
  std::unique_ptr<kv::Snapshot> snapshot() override;
  std::unique_ptr<kv::Iterator> iterate(kv::Family family, kv::Range range, const kv::Snapshot* at = nullptr,
                                        kv::Blocking blocking = kv::Blocking::allowed) override;
  Result<> flush() override;
  Result<std::optional<std::string>> get_durable(kv::Family family, View key) override;
  Bytes unflushed() const override;
  Result<> room() const override;

  /// Forgets a suffix of the unflushed writes. No snapshot or iterator may live.
  void crash(std::uint64_t seed);
  /// While full, a flush answers `no_space` and leaves everything as it was.
  void set_full(bool full);
  /// The next `count` writes fail with `io_error`, having changed nothing.
  void fail_writes(std::uint64_t count);
  /// Rows that iterators have come to.
  std::uint64_t rows_read() const noexcept { return rows_read_; }
  /// Whether these bytes stand in any key or value.
  bool holds(std::string_view needle) const;

 private:
  class Pin;
  class Walk;
  using Sequence = std::uint64_t;
  /// Values by the write that set them; nothing: erased.
  using Versions = std::map<Sequence, std::optional<std::string>>;
  using Visible = std::map<std::string, Versions, std::less<>>;
  using Durable = std::map<std::string, std::string, std::less<>>;

  void apply(const kv::Batch& batch);
  void set(kv::Family family, const std::string& key, std::optional<std::string> value);
  void erase_range(kv::Family family, const kv::Range& range);
  static void make_durable(std::vector<Durable>& durable, const kv::Batch& batch);
  const std::string* find(const Versions& versions, Sequence at) const;
  bool would_block(kv::Blocking blocking);
  Sequence pin();
  void unpin(Sequence sequence);

  mutable std::mutex mutex_;  // the port is called from every core
  std::vector<Visible> visible_;
  std::vector<Durable> durable_;
  std::vector<kv::Batch> pending_;
  std::multiset<Sequence> pins_;
  Sequence sequence_ = 0;
  SeededRng cold_;  // decides what is not in memory
  Bytes unflushed_ = 0;
  std::uint64_t failing_writes_ = 0;
  bool full_ = false;
  std::atomic<std::uint64_t> rows_read_ = 0;
};

}  // namespace kiseki::sim
