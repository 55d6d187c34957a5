#include "shard/testing/replica_checks.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/codec.h"
#include "shard/client/shard_map.h"
#include "shard/rows/families.h"
#include "shard/rows/node_row.h"
#include "shard/rows/row_codec.h"

namespace kiseki::shard {

using namespace detail;

namespace {

StateType state_type(View key) {
  Decoder in(key);
  std::ignore = in.id<ShardId>();
  return static_cast<StateType>(in.integer<std::uint8_t>());
}

bool is_own(kv::Family family, View key) {
  return family == family_state && (as_text(key) == NodeRow::key() || is_replicas_own(state_type(key)));
}

Result<ShardMap> map_in(kv::KvStore& store) {
  std::vector<Record> pages;
  for (;;) {
    const auto bytes = store.get(family_rows, as_view(ShardMap::page_key(pages.size()).encode()), nullptr);
    if (!bytes) return fail(bytes.error());
    if (!*bytes) break;
    auto record = Record::decode(as_view(**bytes));
    if (!record) return fail(std::move(record).error());
    pages.push_back(std::move(*record));
  }
  return ShardMap::decode(pages);
}

}  // namespace

Content content_of(kv::KvStore& store) {
  Content content(family_count);
  for (kv::Family family = 0; family < family_count; ++family) {
    const auto rows = store.iterate(family, {}, nullptr);
    for (rows->seek({}); rows->valid(); rows->next()) {
      if (is_own(family, rows->key())) continue;
      content[family].emplace(as_text(rows->key()), as_text(rows->value()));
    }
  }
  return content;
}

std::string difference(const Content& one, const Content& other) {
  for (std::size_t family = 0; family < one.size(); ++family) {
    const auto [here, there] = std::ranges::mismatch(one[family], other[family]);
    if (here == one[family].end() && there == other[family].end()) continue;
    return fmt::format("family {} at {} and {}", family,
                       here == one[family].end() ? "end" : to_hex(as_view(here->first)),
                       there == other[family].end() ? "end" : to_hex(as_view(there->first)));
  }
  return {};
}

std::string unfinished(const Content& content) {
  for (const auto& [bytes, value] : content[family_rows]) {
    const auto key = Key::decode(as_view(bytes));
    if (!key || key->kind == Kind::intent) return "an intent stays for ever";
  }
  for (const auto& [bytes, value] : content[family_state]) {
    if (state_type(as_view(bytes)) == StateType::prepared) return "a prepared transaction stays for ever";
  }
  return {};
}

std::string contradiction_of_ranges(std::vector<Node::ShardStatus> shards, kv::KvStore& store) {
  const auto map = map_in(store);
  if (!map) return "the map: " + map.error().to_string();
  std::ranges::sort(shards, {}, &Node::ShardStatus::first);
  std::uint32_t next = 0;
  for (const auto& one : shards) {
    if (one.first != next) return fmt::format("slot {} belongs to no shard or to two", next);
    next = one.last + 1U;
    const auto* const entry = map->find(one.id);
    if (entry == nullptr || entry->range.first != one.first || entry->range.last != one.last) {
      return fmt::format("the map has other slots for shard {}", one.id.value());
    }
  }
  if (next != 65'536) return fmt::format("slot {} belongs to no shard", next);
  return map->shards.size() == shards.size() ? "" : "the map has shards that are nowhere";
}

}  // namespace kiseki::shard
