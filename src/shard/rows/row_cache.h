#pragma once

#include <array>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "kv/kv_store.h"
#include "shard/rows/families.h"

namespace kiseki::shard::detail {

/// The rows of one shard that were used last, as they stand in the store: present or known to be absent. Only
/// the shard's own writes change its rows, and each of them passes here.
class RowCache {
 public:
  static constexpr Bytes size_max = 4_MiB;
  static constexpr Bytes row_max = 32_KiB;  ///< Larger rows are not kept.

  using Value = std::optional<std::string>;
  /// Null when it is not known. Until the next call.
  const Value* find(kv::Family family, std::string_view key);
  void put(kv::Family family, std::string_view key, Value value);
  /// The same of one that is not known and that it keeps. Until the next call.
  const Value& add(kv::Family family, std::string_view key, Value value);
  static bool keeps(const Value& value) { return !value || value->size() <= row_max; }
  /// The row changes; only what is known already is remembered of it.
  void update(kv::Family family, std::string_view key, const Value& value);
  /// The row is not known any more.
  void drop(kv::Family family, std::string_view key);

  Bytes size() const noexcept { return size_; }

 private:
  struct Row {
    kv::Family family;
    std::string key;
    Value value;
    Bytes size() const { return key.size() + (value ? value->size() : 0) + overhead; }
  };
  using Rows = std::list<Row>;
  static constexpr Bytes overhead = 160;  // of a row, its place in the list and in the table

  void remove(Rows::iterator row);

  Rows rows_;                                                                              // last used first
  std::array<std::unordered_map<std::string_view, Rows::iterator>, family_count> places_;  // by `Row::key`
  Bytes size_ = 0;
};

}  // namespace kiseki::shard::detail
