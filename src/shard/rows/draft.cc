#include "shard/rows/draft.h"

namespace kiseki::shard::detail {

namespace {

std::optional<View> view_of(const std::optional<std::string>& value) {
  return value ? std::optional(as_view(*value)) : std::nullopt;
}

}  // namespace

Result<std::optional<View>> Draft::view(kv::Family family, const std::string& key) {
  auto& rows = rows_.at(family);
  if (const auto known = rows.find(key); known != rows.end()) return view_of(known->second.value);
  const bool is_cached = cache_ != nullptr && family != family_references;
  if (is_cached) {
    if (const auto* known = cache_->find(family, key)) return view_of(*known);
  }
  auto value = store_.get(family, as_view(key), nullptr, blocking_);
  if (!value) return fail(std::move(value).error());
  if (is_cached && RowCache::keeps(*value)) return view_of(cache_->add(family, key, std::move(*value)));
  const auto [row, is_new] = rows.emplace(key, Row{.value = std::move(*value), .changed = false});
  return view_of(row->second.value);
}

Result<std::optional<std::string>> Draft::get(kv::Family family, const std::string& key) {
  const auto bytes = view(family, key);
  if (!bytes) return fail(bytes.error());
  return *bytes ? std::optional(std::string(as_text(**bytes))) : std::nullopt;
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
  const auto bytes = view(family_of(key.kind), key.encode());
  if (!bytes) return fail(bytes.error());
  if (!*bytes) return std::nullopt;
  auto record = Record::decode(**bytes);
  if (!record) return fail(std::move(record).error());
  return std::move(*record);
}

Result<std::optional<Record>> Draft::header(const Key& key) {
  const auto bytes = view(family_of(key.kind), key.encode());
  if (!bytes) return fail(bytes.error());
  if (!*bytes) return std::nullopt;
  auto record = Record::decode_header(**bytes);
  if (!record) return fail(std::move(record).error());
  return std::move(*record);
}

Result<Counters> Draft::counters(const LeafAddress& leaf) {
  const auto bytes = view(family_rows, key(leaf, Kind::counters).encode());
  if (!bytes) return fail(bytes.error());
  if (!*bytes) return Counters{};
  return Counters::decode(**bytes);
}

/// Rows under leaves are read again soon, references and bodies hardly ever; most others are written once and
/// never read.
void Draft::remember(kv::Family family, const std::string& key, const std::optional<std::string>& value) {
  constexpr std::size_t body = 2_KiB;
  if (family == family_references) return;
  if (value && value->size() >= body) {
    cache_->drop(family, key);
  } else if (family == family_rows && value) {
    cache_->put(family, key, value);
  } else {
    cache_->update(family, key, value);
  }
}

Result<> Draft::write() {
  kv::Batch batch;
  for (std::size_t family = 0; family < rows_.size(); ++family) {
    for (auto& [key, row] : rows_[family]) {
      if (!row.changed) continue;
      if (cache_ != nullptr) remember(static_cast<kv::Family>(family), key, row.value);
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
