#pragma once

#include <map>

#include "kv/kv_store.h"
#include "shard/machine/machine.h"
#include "shard/requests.h"

namespace kiseki::shard::detail {

/// Reads rows of one shard at one moment: no call suspends, and only the shard's own core writes them.
class Reader {
 public:
  /// A reply stops at the row that passes it, with `more`.
  static constexpr Bytes reply_max = 8_MiB;

  /// With `Blocking::refused` `read` is `would_block` where it would wait for the disk. `at`, the moment of
  /// the call, is for what goes on elsewhere.
  Reader(kv::KvStore& store, Machine& machine, kv::Blocking blocking = kv::Blocking::allowed,
         const kv::Snapshot* at = nullptr);

  /// `stale` when a row lies in another shard.
  Result<RowsReply> read(const RowsRequest& request);
  Result<std::vector<Row>> pending(const GoneSessions& gone, std::uint32_t rows_max);
  /// Of sessions that are fenced here.
  Result<std::vector<Row>> locks(std::uint32_t rows_max);

  // These use nothing of the machine any more, and may run on a pool.
  Result<Scanned> scan(const ScanRequest& request, kv::Blocking blocking);
  Result<Judgement> judge(const std::vector<ChunkName>& chunks, kv::Blocking blocking);
  Result<DeadRows> dead(const DeadRequest& request, kv::Blocking blocking);

 private:
  bool holds(const RowsRequest& request) const;
  Result<std::optional<Record>> row(const Key& key);
  Result<ReadReply::Got> get(const Get& get);
  Result<ReadReply::Scanned> scan_leaf(const Scan& scan);
  Result<Counters> counters(const LeafAddress& leaf);
  template <class Meant>
  Result<std::vector<Row>> left_by(Meant is_meant, Kind kind, std::uint32_t rows_max);
  Result<> scan_slot(kv::Iterator& rows, Slot slot, Kind kind, Stamp after);
  /// A transaction that changes what was read; its fate may be decided in another shard already.
  void note(const Holder* holder);

  kv::KvStore& store_;
  const Machine& machine_;
  const kv::Blocking blocking_;
  const kv::Snapshot* const at_;
  const Judgement moment_;  // without what is counted
  Draft rows_;
  std::map<TransactionId, Holder> undecided_;
  std::multimap<Stamp, Row> oldest_;
  std::uint32_t rows_max_ = 0;
};

/// Reads what `request` or `proposal` reads, so that the store has it in memory afterwards. For a pool.
void fetch_rows(kv::KvStore& store, const RowsRequest& request);
void fetch_rows(kv::KvStore& store, const Proposal& proposal);

}  // namespace kiseki::shard::detail
