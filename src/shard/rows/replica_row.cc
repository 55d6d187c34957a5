#include "shard/rows/replica_row.h"

#include "base/codec.h"
#include "shard/rows/families.h"
#include "shard/rows/row_codec.h"

namespace kiseki::shard::detail {

namespace {
constexpr std::uint8_t format = 2;
}  // namespace

std::string ReplicaRow::encode() const {
  std::string bytes;
  Encoder out(bytes);
  out.integer(format).integer(id).enumerator(state).integer(erasing.first).integer(erasing.last);
  return bytes;
}

Result<ReplicaRow> ReplicaRow::decode(View bytes) {
  auto in = begin_value(bytes, format, "replica of a shard");
  if (!in) return fail(std::move(in).error());
  ReplicaRow row;
  row.id = in->integer<raft::ReplicaId>();
  const auto state = in->integer<std::uint8_t>();
  if (state < 1 || state > static_cast<std::uint8_t>(State::removed)) in->reject();
  row.state = static_cast<State>(state);
  row.erasing.first = in->integer<Slot>();
  row.erasing.last = in->integer<Slot>();
  const bool is_range = row.erasing.first <= row.erasing.last && row.state == State::removed;
  if (row.erasing != no_slots && !is_range) in->reject();
  KISEKI_TRY(in->finish("replica of a shard"));
  return row;
}

Result<std::optional<ReplicaRow>> ReplicaRow::read(kv::KvStore& store, ShardId shard) {
  const auto bytes = store.get(family_state, as_view(key(shard)));
  if (!bytes) return fail(bytes.error());
  if (!*bytes) return std::nullopt;
  const auto row = decode(as_view(**bytes));
  if (!row) return fail(row.error());
  return *row;
}

}  // namespace kiseki::shard::detail
