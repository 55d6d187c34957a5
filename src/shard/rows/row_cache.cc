#include "shard/rows/row_cache.h"

namespace kiseki::shard::detail {

const RowCache::Value* RowCache::find(kv::Family family, std::string_view key) {
  const auto& places = places_.at(family);
  const auto found = places.find(key);
  if (found == places.end()) return nullptr;
  rows_.splice(rows_.begin(), rows_, found->second);
  return &found->second->value;
}

void RowCache::put(kv::Family family, std::string_view key, Value value) {
  drop(family, key);
  if (!keeps(value)) return;
  add(family, key, std::move(value));
}

const RowCache::Value& RowCache::add(kv::Family family, std::string_view key, Value value) {
  rows_.push_front({.family = family, .key = std::string(key), .value = std::move(value)});
  places_.at(family).emplace(rows_.front().key, rows_.begin());
  size_ += rows_.front().size();
  while (size_ > size_max) remove(std::prev(rows_.end()));
  return rows_.front().value;
}

void RowCache::update(kv::Family family, std::string_view key, const Value& value) {
  if (places_.at(family).contains(key)) put(family, key, value);
}

void RowCache::drop(kv::Family family, std::string_view key) {
  const auto& places = places_.at(family);
  if (const auto found = places.find(key); found != places.end()) remove(found->second);
}

void RowCache::remove(Rows::iterator row) {
  size_ -= row->size();
  places_.at(row->family).erase(row->key);
  rows_.erase(row);
}

}  // namespace kiseki::shard::detail
