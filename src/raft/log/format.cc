#include "raft/log/format.h"

#include <cstring>

#include "base/assert.h"
#include "base/codec.h"
#include "crypto/checksum.h"
#include "raft/codec/meta_codec.h"

namespace kiseki::raft::detail {

namespace {

constexpr std::uint32_t segment_magic = 0x4b534547;  // KSEG
constexpr std::uint32_t batch_magic = 0x4b424154;    // KBAT
constexpr std::uint8_t format_version = 2;
constexpr std::size_t segment_header_size = 28;

std::uint32_t seed_of(std::uint64_t sequence) {
  std::string bytes;
  Encoder(bytes).integer(sequence);
  return crypto::crc32c(as_view(bytes));
}

}  // namespace

Buffer encode(const SegmentHeader& header) {
  std::string fields;
  Encoder(fields)
      .integer(segment_magic)
      .integer(format_version)
      .raw(as_view(std::string_view("\0\0\0", 3)))
      .integer(header.sequence)
      .integer(header.size);
  Encoder(fields).integer(crypto::crc32c(as_view(fields)));
  Buffer block(log_block);
  std::memset(block.data(), 0, block.size());
  std::memcpy(block.data(), fields.data(), fields.size());
  return block;
}

Result<SegmentHeader> parse_segment_header(View block) {
  Decoder in(block.first(std::min(block.size(), segment_header_size)));
  const auto magic = in.integer<std::uint32_t>();
  const auto format = in.integer<std::uint8_t>();
  in.raw(3);
  const SegmentHeader header{in.integer<std::uint64_t>(), in.integer<Bytes>()};
  const auto checksum = in.integer<std::uint32_t>();
  KISEKI_TRY(in.finish("segment header"));
  const bool intact = checksum == crypto::crc32c(block.first(segment_header_size - sizeof checksum));
  if (magic != segment_magic || !intact || header.sequence == 0)
    return fail(Errc::corrupted, "segment header");
  if (format != format_version) {
    return fail(Errc::wrong_format, fmt::format("segment of format {}, not {}", format, format_version));
  }
  return header;
}

Result<std::optional<BatchHeader>> parse_batch_header(View block) {
  if (block.size() < BatchHeader::encoded_size) return std::nullopt;
  Decoder in(block.first(BatchHeader::encoded_size));
  if (in.integer<std::uint32_t>() != batch_magic) return std::nullopt;
  const auto format = in.integer<std::uint8_t>();
  in.raw(3);
  BatchHeader header;
  header.sequence = in.integer<std::uint64_t>();
  header.number = in.integer<std::uint64_t>();
  header.flushed = in.integer<std::uint64_t>();
  header.first_live = in.integer<std::uint64_t>();
  header.length = in.integer<std::uint32_t>();
  header.records = in.integer<std::uint32_t>();
  header.checksum = in.integer<std::uint32_t>();
  in.raw(8);
  const auto checksum = in.integer<std::uint32_t>();
  const View covered = block.first(BatchHeader::encoded_size - sizeof checksum);
  if (checksum != crypto::crc32c(covered, seed_of(header.sequence))) return std::nullopt;
  if (format != format_version) {
    return fail(Errc::wrong_format, fmt::format("batch of format {}, not {}", format, format_version));
  }
  return header;
}

bool is_intact(const BatchHeader& header, View records) {
  return records.size() == header.length &&
         crypto::crc32c(records, seed_of(header.sequence)) == header.checksum;
}

Result<Entry> parse_entry(View body) {
  Decoder in(body);
  Entry entry{.index = in.integer<Index>(),
              .term = in.integer<Term>(),
              .type = decode_flag(in) ? EntryType::conf_change : EntryType::normal,
              .data = {},
              .owner = nullptr};
  entry.data = in.rest();
  if (entry.index == 0 || entry.term == 0) in.reject();
  KISEKI_TRY(in.finish("log entry"));
  return entry;
}

Result<HardState> parse_hard_state(View body) {
  Decoder in(body);
  const HardState state{in.integer<Term>(), in.integer<ReplicaId>(), in.integer<Index>()};
  KISEKI_TRY(in.finish("hard state"));
  return state;
}

Result<BaseRecord> parse_base(View body) {
  Decoder in(body);
  BaseRecord base;
  base.fresh = decode_flag(in) ? Fresh::yes : Fresh::no;
  base.replica = in.integer<ReplicaId>();
  base.meta = decode_meta(in);
  KISEKI_TRY(in.finish("base"));
  return base;
}

RecordReader::RecordReader(View records, std::uint64_t sequence) : rest_(records), seed_(seed_of(sequence)) {}

Result<std::optional<Record>> RecordReader::next() {
  if (rest_.empty()) return std::nullopt;
  Decoder in(rest_);
  const auto type = in.integer<std::uint8_t>();
  const auto group = in.id<GroupId>();
  const auto length = in.integer<std::uint32_t>();
  const View covered = rest_.first(rest_.size() - in.remaining());
  const auto checksum = in.integer<std::uint32_t>();
  const View body = in.raw(length);
  if (in.failed() || crypto::crc32c(body, crypto::crc32c(covered, seed_)) != checksum) {
    return fail(Errc::corrupted, "log record fails its checksum");
  }
  if (type < static_cast<std::uint8_t>(RecordType::entry) ||
      type > static_cast<std::uint8_t>(RecordType::erased)) {
    return fail(Errc::wrong_format, fmt::format("log record of unknown type {}", type));
  }
  rest_ = in.rest();
  return Record{static_cast<RecordType>(type), group, body};
}

BatchWriter::BatchWriter(std::uint64_t sequence, Bytes records_size)
    : sequence_(sequence),
      seed_(seed_of(sequence)),
      batch_(round_up(BatchHeader::encoded_size + records_size, log_block)) {}

Bytes BatchWriter::size_of(const BaseRecord& base) {
  const ConfState& conf = base.meta.conf;
  const std::size_t members =
      conf.voters.size() + conf.learners.size() + conf.voters_outgoing.size() + conf.learners_next.size();
  return record_size + base_size + 4 * sizeof(std::uint16_t) + members * sizeof(ReplicaId);
}

void BatchWriter::put(View bytes) {
  KISEKI_ASSERT(position_ + bytes.size() <= batch_.size());
  if (!bytes.empty()) std::memcpy(batch_.data() + position_, bytes.data(), bytes.size());
  position_ += bytes.size();
}

void BatchWriter::put_record(RecordType type, GroupId group, View data) {
  head_.clear();
  const auto length = static_cast<std::uint32_t>(fields_.size() + data.size());
  Encoder(head_).enumerator(type).id(group).integer(length);
  const std::uint32_t fixed = crypto::crc32c(as_view(fields_), crypto::crc32c(as_view(head_), seed_));
  Encoder(head_).integer(crypto::crc32c(data, fixed));
  put(as_view(head_));
  put(as_view(fields_));
  put(data);
  ++records_;
}

void BatchWriter::add(GroupId group, const Entry& entry) {
  fields_.clear();
  Encoder(fields_).integer(entry.index).integer(entry.term).enumerator(entry.type);
  put_record(RecordType::entry, group, entry.data);
}

void BatchWriter::add(GroupId group, const HardState& state) {
  fields_.clear();
  Encoder(fields_).integer(state.term).integer(state.vote).integer(state.commit);
  put_record(RecordType::hard_state, group, {});
}

void BatchWriter::add(GroupId group, const BaseRecord& base) {
  fields_.clear();
  Encoder out(fields_);
  out.enumerator(base.fresh).integer(base.replica);
  encode_meta(out, base.meta);
  put_record(RecordType::base, group, {});
}

void BatchWriter::add_erased(GroupId group) {
  fields_.clear();
  put_record(RecordType::erased, group, {});
}

Buffer BatchWriter::finish(BatchHeader header) {
  const Bytes length = position_ - BatchHeader::encoded_size;
  const View records = batch_.view().subspan(BatchHeader::encoded_size, length);
  std::string head;
  Encoder(head)
      .integer(batch_magic)
      .integer(format_version)
      .raw(as_view(std::string_view("\0\0\0", 3)))
      .integer(sequence_)
      .integer(header.number)
      .integer(header.flushed)
      .integer(header.first_live)
      .integer(static_cast<std::uint32_t>(length))
      .integer(records_)
      .integer(crypto::crc32c(records, seed_))
      .integer(std::uint64_t{0});
  Encoder(head).integer(crypto::crc32c(as_view(head), seed_));
  KISEKI_ASSERT(head.size() == BatchHeader::encoded_size);
  std::memcpy(batch_.data(), head.data(), head.size());
  std::memset(batch_.data() + position_, 0, batch_.size() - position_);
  batch_.shrink(round_up(position_, log_block));
  return std::move(batch_);
}

}  // namespace kiseki::raft::detail
