#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kv/kv_store.h"
#include "raft/transport.h"
#include "shard/rows/state_rows.h"

// A shard's state as pieces (docs/formats/shard-snapshot.md).

namespace kiseki::shard::detail {

struct SnapshotRow {
  kv::Family family = 0;
  std::string key, value;  ///< In the state family the key lacks its shard.
};

/// Makes pieces of at most 1 MiB of rows that come in order.
class PieceWriter {
 public:
  static constexpr Bytes body_max = 1_MiB - 4_KiB;

  PieceWriter(ShardId shard, raft::Index index, raft::Term term)
      : shard_(shard), index_(index), term_(term) {}
  void add(const SnapshotRow& row);
  bool is_full() const noexcept { return rows_.size() >= body_max; }
  bool is_empty() const noexcept { return rows_.empty(); }
  enum class Position : std::uint8_t { middle = 0, last = 1 };
  std::string piece(Position position);

 private:
  ShardId shard_;
  raft::Index index_;
  raft::Term term_;
  std::uint32_t number_ = 0;
  std::string rows_;  // not given out yet
};

/// Reads them back, from bytes that may be damaged or hostile: `corrupted`, `wrong_format`.
class PieceReader {
 public:
  static constexpr Bytes row_max = 16_MiB;

  PieceReader(ShardId shard, raft::SnapshotMeta meta) : shard_(shard), meta_(std::move(meta)) {}
  /// The rows that `piece` completes, each checked.
  Result<std::vector<SnapshotRow>> take(View piece);
  /// The last piece was taken, and with it everything a shard needs.
  Result<> finish() const;

 private:
  Result<bool> take_row(std::vector<SnapshotRow>& rows);
  Result<> check(const SnapshotRow& row);
  Result<> check_state(const SnapshotRow& row);
  Result<> check_kind(const Key& key, View value) const;

  ShardId shard_;
  raft::SnapshotMeta meta_;
  std::uint32_t number_ = 0;
  bool is_last_ = false;
  std::string rest_;  // the beginning of a row
  SlotRange range_ = no_slots;
  bool has_progress_ = false, has_configuration_ = false;
};

}  // namespace kiseki::shard::detail
