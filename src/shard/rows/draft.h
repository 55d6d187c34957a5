#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "kv/kv_store.h"
#include "shard/record.h"
#include "shard/rows/row_cache.h"

namespace kiseki::shard::detail {

/// What some entries change, over a store: reads see it, `write` makes it visible as one batch.
class Draft {
 public:
  /// `cache`, of the rows of one shard, is read through and told of what is written; without one the draft
  /// keeps what it has read. With `Blocking::refused` a read that would wait for the disk is `would_block`.
  explicit Draft(kv::KvStore& store, RowCache* cache = nullptr, kv::Blocking blocking = kv::Blocking::allowed)
      : store_(store), cache_(cache), blocking_(blocking) {}

  /// Until the next call.
  Result<std::optional<View>> view(kv::Family family, const std::string& key);
  Result<std::optional<std::string>> get(kv::Family family, const std::string& key);
  void put(kv::Family family, std::string key, std::string value);
  void erase(kv::Family family, std::string key);
  /// Takes back what was changed under keys that begin so.
  void take_back(kv::Family family, std::string_view prefix);

  Result<std::optional<Record>> record(const Key& key);
  /// Without its value.
  Result<std::optional<Record>> header(const Key& key);
  Result<Counters> counters(const LeafAddress& leaf);

  /// Afterwards the draft is as new.
  Result<> write();

 private:
  struct Row {
    std::optional<std::string> value;
    bool changed = false;
  };
  void remember(kv::Family family, const std::string& key, const std::optional<std::string>& value);

  kv::KvStore& store_;
  RowCache* const cache_;
  const kv::Blocking blocking_;
  std::array<std::unordered_map<std::string, Row>, family_count> rows_;
};

}  // namespace kiseki::shard::detail
