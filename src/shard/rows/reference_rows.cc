#include "shard/rows/reference_rows.h"

#include "base/codec.h"
#include "base/planted.h"
#include "shard/rows/prepared.h"
#include "shard/rows/row_codec.h"

namespace kiseki::shard::detail {

namespace {

constexpr std::uint8_t format = 1;
/// Rows passed in one look for dead ones, whether they count or not.
constexpr std::size_t looked_at_max = 8192;

std::string prefix_of(Kind kind, const ChunkName& chunk) {
  std::string key;
  Encoder out(key);
  write(out.enumerator(kind), chunk);
  return key;
}

std::string reference_key(const Referrer& from, const ChunkReference& reference) {
  return prefix_of(Kind::reference, name_of(from.ns, reference)) + from.place;
}

std::string dead_key(const ChunkName& chunk, Slot slot) {
  std::string key = prefix_of(Kind::dead, chunk);
  Encoder(key).integer(slot);
  return key;
}

Result<GcEpoch> decode_epoch(View value) {
  auto in = begin_value(value, format, "garbage epoch of a row");
  if (!in) return fail(std::move(in).error());
  const auto epoch = in->id<GcEpoch>();
  KISEKI_TRY(in->finish("garbage epoch of a row"));
  return epoch;
}

std::string encode_epoch(GcEpoch epoch) {
  std::string value;
  Encoder(value).integer(format).id(epoch);
  return value;
}

Result<DeadRow> decode_dead(View key, View value) {
  Decoder in(key);
  DeadRow row;
  if (in.integer<std::uint8_t>() != static_cast<std::uint8_t>(Kind::dead)) in.reject();
  row.chunk = read_chunk_name(in);
  row.slot = in.integer<Slot>();
  KISEKI_TRY(in.finish("dead row"));
  const auto epoch = decode_epoch(value);
  if (!epoch) return fail(epoch.error());
  row.epoch = *epoch;
  return row;
}

}  // namespace

void refer(Draft& draft, const Referrer& from, const std::vector<ChunkReference>& references) {
  for (const auto& one : references) draft.put(family_references, reference_key(from, one), {});
}

void unrefer(Draft& draft, const Referrer& from, const std::vector<ChunkReference>& references) {
  for (const auto& one : references) draft.erase(family_references, reference_key(from, one));
}

void put_dead(Draft& draft, const DeadRow& row) {
  draft.put(family_references, dead_key(row.chunk, row.slot), encode_epoch(row.epoch));
}

Result<> erase_dead(Draft& draft, const DeadRow& row, GcEpoch below) {
  std::string key = dead_key(row.chunk, row.slot);
  const auto value = draft.get(family_references, key);
  if (!value) return fail(value.error());
  if (!*value) return {};
  const auto epoch = decode_epoch(as_view(**value));
  if (!epoch) return fail(epoch.error());
  if (*epoch < below) draft.erase(family_references, std::move(key));
  return {};
}

void ingest_references(kv::Batch& batch, const Referrer& from,
                       const std::vector<ChunkReference>& references) {
  for (const auto& one : references) batch.put(family_references, reference_key(from, one), {});
}

Result<std::vector<ChunkReference>> references_in(Kind kind, View value) {
  if (kind == Kind::counters || kind == Kind::decision) return std::vector<ChunkReference>();
  if (kind != Kind::intent) {
    auto record = Record::decode(value);
    if (!record) return fail(std::move(record).error());
    return std::move(record->references);
  }
  auto intent = Intent::decode(value);
  if (!intent) return fail(std::move(intent).error());
  if (!intent->staged) return std::vector<ChunkReference>();
  return std::move(intent->staged->record.references);
}

void mark_rebuilt(kv::Batch& batch, ShardId shard, GcEpoch epoch) {
  batch.put(family_state, state_key(shard, StateType::rebuilt), encode_epoch(epoch));
}

Result<GcEpoch> rebuilt_at(kv::KvStore& store, ShardId shard) {
  const auto value = store.get(family_state, as_view(state_key(shard, StateType::rebuilt)));
  if (!value) return fail(value.error());
  if (!*value) return GcEpoch{};
  return decode_epoch(as_view(**value));
}

std::unique_ptr<kv::Iterator> ReferenceRows::iterate(kv::Range range) {
  return store_.iterate(family_references, std::move(range), at_, blocking_);
}

Result<bool> ReferenceRows::refers(const ChunkName& chunk) {
  const auto range = range_of(prefix_of(Kind::reference, chunk));
  const auto rows = iterate(range);
  for (rows->seek(as_view(range.from)); rows->valid(); rows->next()) {
    if (is_here(Decoder(rows->key().subspan(range.from.size())).integer<Slot>())) return true;
  }
  KISEKI_TRY(rows->status());
  return false;
}

Result<std::vector<DeadRow>> ReferenceRows::dead_of(const ChunkName& chunk) {
  const auto range = range_of(prefix_of(Kind::dead, chunk));
  const auto rows = iterate(range);
  std::vector<DeadRow> found;
  for (rows->seek(as_view(range.from)); rows->valid(); rows->next()) {
    const auto row = decode_dead(rows->key(), rows->value());
    if (!row) return fail(row.error());
    if (is_here(row->slot)) found.push_back(*row);
  }
  KISEKI_TRY(rows->status());
  return found;
}

Result<bool> ReferenceRows::counts(const ChunkName& chunk, GcEpoch round) {
  const auto now = refers(chunk);
  if (!now || *now) return now;
  if (KISEKI_PLANTED("6.6 references that went in the round are not counted")) return false;
  const auto went = dead_of(chunk);
  if (!went) return fail(went.error());
  return std::ranges::any_of(*went, [round](const DeadRow& row) { return row.epoch >= round; });
}

Result<DeadRows> ReferenceRows::dead(ChunkName from, GcEpoch below, std::uint32_t rows_max) {
  const auto range = range_of(std::string(1, static_cast<char>(Kind::dead)));
  const auto rows = iterate(range);
  DeadRows page;
  std::size_t looked_at = 0;
  for (rows->seek(as_view(prefix_of(Kind::dead, from))); rows->valid(); rows->next()) {
    const auto row = decode_dead(rows->key(), rows->value());
    if (!row) return fail(row.error());
    const bool is_full = page.rows.size() >= rows_max || looked_at >= looked_at_max;
    if (is_full && row->chunk != from) {
      page.next = row->chunk;
      break;
    }
    ++looked_at;
    from = row->chunk;
    if (is_here(row->slot) && row->epoch < below) page.rows.push_back(*row);
  }
  KISEKI_TRY(rows->status());
  return page;
}

}  // namespace kiseki::shard::detail
