#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/buffer.h"
#include "base/result.h"
#include "raft/types.h"

// The bytes of docs/formats/log.md, and nothing about files. Everything parsed here may be torn, stale or
// hostile.

namespace kiseki::raft::detail {

/// The unit of writing: no durable byte shares a block with a byte written later.
inline constexpr Bytes log_block = 4_KiB;

struct SegmentHeader {
  std::uint64_t sequence = 0;
  Bytes size = 0;
};

/// One block.
Buffer encode(const SegmentHeader& header);
/// `corrupted`, or `wrong_format` when it is intact and of another version.
Result<SegmentHeader> parse_segment_header(View block);

struct BatchHeader {
  static constexpr std::size_t encoded_size = 64;
  std::uint64_t sequence = 0;  ///< Of the segment.
  std::uint64_t number = 0;
  std::uint64_t flushed = 0;     ///< The last batch known to be durable when this one was written.
  std::uint64_t first_live = 0;  ///< The lowest segment that recovery needs.
  std::uint32_t length = 0;      ///< Of the records.
  std::uint32_t records = 0;
  std::uint32_t checksum = 0;

  /// With padding.
  Bytes stored() const { return round_up(encoded_size + length, log_block); }
};

/// Nothing unless the header itself is intact. `wrong_format` when it is, and of another version.
Result<std::optional<BatchHeader>> parse_batch_header(View block);
/// `records` is what follows the header, `header.length` bytes.
bool is_intact(const BatchHeader& header, View records);

enum class RecordType : std::uint8_t { entry = 1, hard_state = 2, base = 3, erased = 4 };
/// Whether the entries above a base stay.
enum class Fresh : std::uint8_t { no, yes };

struct Record {
  RecordType type;
  GroupId group;
  View body;
};

struct BaseRecord {
  Fresh fresh = Fresh::no;
  ReplicaId replica = 0;  ///< Whose log it is.
  SnapshotMeta meta;
};

Result<Entry> parse_entry(View body);
Result<HardState> parse_hard_state(View body);
Result<BaseRecord> parse_base(View body);

/// Walks records, in a batch or from the middle of one.
class RecordReader {
 public:
  RecordReader(View records, std::uint64_t sequence);
  /// Nothing at the end. `corrupted` for a record that fails its check.
  Result<std::optional<Record>> next();

 private:
  View rest_;
  std::uint32_t seed_;
};

/// Builds one batch in memory fit for direct I/O.
class BatchWriter {
 public:
  /// `records_size` is the sum of the sizes of what will be added.
  BatchWriter(std::uint64_t sequence, Bytes records_size);

  static Bytes size_of(const Entry& entry) { return record_size + entry_size + entry.data.size(); }
  static Bytes size_of(const HardState&) { return record_size + hard_state_size; }
  static Bytes size_of(const BaseRecord& base);
  static Bytes size_of_erased() { return record_size; }

  void add(GroupId group, const Entry& entry);
  void add(GroupId group, const HardState& state);
  void add(GroupId group, const BaseRecord& base);
  void add_erased(GroupId group);
  /// Where the next record will stand, from the start of the batch.
  Bytes position() const { return position_; }
  /// `header` without what the writer knows itself. Once.
  Buffer finish(BatchHeader header);

 private:
  static constexpr std::size_t record_size = 13;
  static constexpr std::size_t entry_size = 17;
  static constexpr std::size_t hard_state_size = 24;
  static constexpr std::size_t base_size = 30;  // without members

  void put(View bytes);
  /// `fields_` followed by `data` becomes the body.
  void put_record(RecordType type, GroupId group, View data);

  std::uint64_t sequence_;
  std::uint32_t seed_;
  Buffer batch_;
  Bytes position_ = BatchHeader::encoded_size;
  std::uint32_t records_ = 0;
  std::string fields_;  // reused
  std::string head_;    // reused
};

}  // namespace kiseki::raft::detail
