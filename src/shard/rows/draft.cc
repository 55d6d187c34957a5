#include "shard/rows/draft.h"

namespace kiseki::shard::detail {

Result<std::optional<std::string>> Draft::get(kv::Family family, const std::string& key) {
  auto& rows = rows_.at(family);
  if (const auto known = rows.find(key); known != rows.end()) return known->second.value;
  auto value = store_.get(family, as_view(key));
  if (!value) return fail(std::move(value).error());
  rows.emplace(key, Row{.value = *value, .changed = false});
  return std::move(*value);
}

void Draft::put(kv::Family family, std::string key, std::string value) {
  rows_.at(family).insert_or_assign(std::move(key), Row{.value = std::move(value), .changed = true});
}

void Draft::erase(kv::Family family, std::string key) {
  rows_.at(family).insert_or_assign(std::move(key), Row{.value = std::nullopt, .changed = true});
}

void Draft::take_back(kv::Family family, std::string_view prefix) {
  std::erase_if(rows_.at(family), [prefix](const auto& row) { return row.first.starts_with(prefix); });
}

Result<std::optional<Record>> Draft::record(const Key& key) {
  const auto bytes = get(family_of(key.kind), key.encode());
  if (!bytes) return fail(bytes.error());
  if (!*bytes) return std::nullopt;
  auto record = Record::decode(as_view(**bytes));
  if (!record) return fail(std::move(record).error());
  return std::move(*record);
}

Result<Counters> Draft::counters(const LeafAddress& leaf) {
  const auto bytes = get(family_rows, key(leaf, Kind::counters).encode());
  if (!bytes) return fail(bytes.error());
  if (!*bytes) return Counters{};
  return Counters::decode(as_view(**bytes));
}

Result<> Draft::write() {
  kv::Batch batch;
  for (std::size_t family = 0; family < rows_.size(); ++family) {
    for (auto& [key, row] : rows_[family]) {
      if (!row.changed) continue;
      if (row.value) {
        batch.put(static_cast<kv::Family>(family), key, std::move(*row.value));
      } else {
        batch.erase(static_cast<kv::Family>(family), key);
      }
    }
  }
  for (auto& rows : rows_) rows.clear();
  if (batch.empty()) return {};
  return store_.write(batch);
}

}  // namespace kiseki::shard::detail
