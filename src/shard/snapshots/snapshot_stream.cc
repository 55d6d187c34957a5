#include "shard/snapshots/snapshot_stream.h"

#include "base/codec.h"
#include "crypto/checksum.h"
#include "shard/machine/sessions.h"
#include "shard/rows/prepared.h"
#include "shard/rows/row_codec.h"

namespace kiseki::shard::detail {

namespace {

constexpr std::uint8_t format = 1;
constexpr std::size_t head_size = 1 + 4 + 8 + 8 + 4 + 1;
constexpr std::size_t row_head_size = 1 + 4 + 4;

std::unexpected<Error> damaged(std::string_view what) {
  return fail(Errc::corrupted, "shard snapshot: " + std::string(what));
}

template <class T>
Result<> validity(const Result<T>& decoded) {
  if (!decoded) return fail(decoded.error());
  return {};
}

}  // namespace

void PieceWriter::add(const SnapshotRow& row) {
  Encoder out(rows_);
  out.integer(row.family).sized(as_view(row.key)).sized(as_view(row.value));
}

std::string PieceWriter::piece(Position position) {
  const std::size_t size = std::min<std::size_t>(rows_.size(), body_max);
  const bool is_last = position == Position::last && size == rows_.size();
  std::string piece;
  piece.reserve(head_size + size + sizeof(std::uint32_t));
  Encoder out(piece);
  out.integer(format).id(shard_).integer(index_).integer(term_).integer(number_++);
  out.integer(static_cast<std::uint8_t>(is_last));
  out.raw(as_view(rows_).first(size));
  rows_.erase(0, size);
  out.integer(crypto::crc32c(as_view(piece)));
  return piece;
}

Result<std::vector<SnapshotRow>> PieceReader::take(View piece) {
  if (is_last_) return damaged("a piece after the last");
  if (piece.size() < head_size + sizeof(std::uint32_t) || piece.size() > 1_MiB)
    return damaged("size of a piece");
  const View checked = piece.first(piece.size() - sizeof(std::uint32_t));
  const auto sum = Decoder(piece.subspan(checked.size())).integer<std::uint32_t>();
  if (crypto::crc32c(checked) != sum) return damaged("checksum of a piece");
  auto in = begin_value(checked, format, "shard snapshot");
  if (!in) return fail(std::move(in).error());
  const bool is_ours = in->id<ShardId>() == shard_ && in->integer<raft::Index>() == meta_.index &&
                       in->integer<raft::Term>() == meta_.term;
  if (!is_ours) return damaged("a piece of another one");
  if (in->integer<std::uint32_t>() != number_++) return damaged("a piece is missing");
  const auto last = in->integer<std::uint8_t>();
  if (last > 1) return damaged("mark of the last piece");
  is_last_ = last == 1;
  rest_ += as_text(in->rest());
  std::vector<SnapshotRow> rows;
  for (;;) {
    const auto more = take_row(rows);
    if (!more) return fail(more.error());
    if (!*more) break;
  }
  return rows;
}

/// False when the rest is the beginning of a row.
Result<bool> PieceReader::take_row(std::vector<SnapshotRow>& rows) {
  if (rest_.size() < row_head_size) return false;
  Decoder in(as_view(rest_));
  SnapshotRow row;
  row.family = in.integer<kv::Family>();
  const auto key_size = in.integer<std::uint32_t>();
  if (key_size > 4_KiB) return damaged("size of a key");
  if (rest_.size() < row_head_size + key_size) return false;
  row.key = as_text(in.raw(key_size));
  const auto value_size = in.integer<std::uint32_t>();
  if (value_size > row_max) return damaged("size of a value");
  if (in.remaining() < value_size) return false;
  row.value = as_text(in.raw(value_size));
  KISEKI_TRY(check(row));
  rest_.erase(0, row_head_size + key_size + value_size);
  rows.push_back(std::move(row));
  return true;
}

Result<> PieceReader::check(const SnapshotRow& row) {
  if (row.family == family_state) return check_state(row);
  if (row.family != family_rows && row.family != family_feeds) return damaged("family of a row");
  const auto key = Key::decode(as_view(row.key));
  if (!key) return fail(key.error());
  if (family_of(key->kind) != row.family) return damaged("family of a row");
  if (!range_.contains(slot_of(key->leaf))) return damaged("a row of another shard");
  return check_kind(*key, as_view(row.value));
}

Result<> PieceReader::check_kind(const Key& key, View value) const {
  switch (key.kind) {
    case Kind::counters:
      return validity(Counters::decode(value));
    case Kind::intent:
      return validity(Intent::decode(value));
    case Kind::decision:
      return {};
    default:
      return validity(Record::decode(value));
  }
}

Result<> PieceReader::check_state(const SnapshotRow& row) {
  if (row.key.empty()) return damaged("a state row without type");
  switch (static_cast<StateType>(row.key.front())) {
    case StateType::progress: {
      const auto progress = Progress::decode(as_view(row.value));
      if (!progress) return fail(progress.error());
      has_progress_ = progress->applied == meta_.index && progress->term == meta_.term;
      return {};
    }
    case StateType::range: {
      const auto range = decode_range(as_view(row.value));
      if (!range) return fail(range.error());
      range_ = *range;
      return {};
    }
    case StateType::configuration: {
      const auto configuration = decode_configuration(as_view(row.value));
      if (!configuration) return fail(configuration.error());
      has_configuration_ = *configuration == meta_.conf;
      return {};
    }
    case StateType::ns:
      return validity(NamespaceConfiguration::decode(as_view(row.value)));
    case StateType::result:
      return validity(Sessions::Block::decode(as_view(row.value)));
    case StateType::gone:
      return validity(GoneSessions::decode(as_view(row.value)));
    case StateType::prepared:
      return validity(Prepared::decode(as_view(row.value)));
    case StateType::fence:
    case StateType::pending:
      return {};
    case StateType::rebuilt:
    case StateType::staged:
    case StateType::install:
    case StateType::replica:
      break;
  }
  return damaged("type of a state row");
}

Result<> PieceReader::finish() const {
  if (!is_last_ || !rest_.empty()) return damaged("it ends early");
  if (range_ == no_slots || !has_progress_ || !has_configuration_)
    return damaged("its state rows do not fit");
  return {};
}

}  // namespace kiseki::shard::detail
