#include "shard/snapshots/erasure.h"

#include <array>

#include "base/codec.h"
#include "shard/rows/reference_rows.h"

namespace kiseki::shard::detail {

namespace {
constexpr std::array families = {family_rows, family_feeds};
}  // namespace

kv::Range rows_in(SlotRange slots) {
  kv::Range range;
  Encoder(range.from).integer(slots.first);
  if (slots.last < 0xffff) Encoder(range.to).integer(static_cast<Slot>(slots.last + 1));
  return range;
}

Result<bool> Erasure::step() {
  if (slots_ == no_slots || family_ == families.size()) return false;
  const kv::Family family = families.at(family_);
  kv::Range range = rows_in(slots_);
  if (!from_.empty()) range.from = from_;
  const auto rows = store_.iterate(family, range);
  Draft draft(store_);
  std::size_t count = 0;
  for (rows->seek(as_view(range.from)); rows->valid() && count < step_rows_max; rows->next(), ++count) {
    std::string key(as_text(rows->key()));
    const auto name = Key::decode(as_view(key));
    if (!name) return fail(name.error());
    const auto references = references_in(name->kind, rows->value());
    if (!references) return fail(references.error());
    unrefer(draft, {name->leaf.ns, key}, *references);
    draft.erase(family, std::move(key));
  }
  KISEKI_TRY(rows->status());
  from_ = rows->valid() ? std::string(as_text(rows->key())) : std::string();
  if (from_.empty()) ++family_;
  KISEKI_TRY(draft.write());
  return true;
}

}  // namespace kiseki::shard::detail
