#pragma once

#include "kv/kv_store.h"
#include "shard/key.h"

namespace kiseki::shard::detail {

// Column families of a node's store, in the order of `Node::families` (docs/formats/keys.md).
inline constexpr kv::Family family_rows = 0;
inline constexpr kv::Family family_feeds = 1;
inline constexpr kv::Family family_references = 2;  // by chunk, not by slot: reference_rows.h
inline constexpr kv::Family family_state = 3;
inline constexpr std::size_t family_count = 4;

inline kv::Family family_of(Kind kind) noexcept {
  if (!is_scanned(kind)) return family_rows;
  return kind == Kind::dead || kind == Kind::reference ? family_references : family_feeds;
}

}  // namespace kiseki::shard::detail
