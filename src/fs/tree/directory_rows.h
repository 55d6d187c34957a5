#pragma once

#include <optional>
#include <string>
#include <vector>

#include "crypto/secret.h"
#include "fs/names/names.h"
#include "fs/names/namespace_cache.h"
#include "fs/names/sealer.h"

// The rows that make a directory (docs/formats/directory.md): header, guards, tombstones. Each function opens
// or makes one record of them.

namespace kiseki::fs::detail {

shard::Key header_key(NamespaceId ns, InodeId directory);
shard::Key guard_key(const shard::LeafAddress& leaf);
shard::Key tombstone_key(const shard::LeafAddress& leaf);
shard::Key entry_key(const shard::LeafAddress& leaf, const shard::Token& token);
/// Item: the session.
shard::Key pending_key(const shard::LeafAddress& leaf, SessionId session);
/// The stamp is the commit's.
shard::Key feed_key(const shard::LeafAddress& leaf, shard::Event event);

struct Header {
  crypto::Key256 name_key;
  std::string name;  ///< In the parent; empty for the roots.
  shard::DirectoryLink link;
  Stamp version;
};
Result<Header> open_header(const NamespaceContext& ns, InodeId directory, const shard::Record& record);
shard::Record make_header(Rng& rng, const NamespaceContext& ns, InodeId directory, const Header& header);

/// How a directory was found without asking: by a name remembered from earlier. A rename may have made it
/// wrong while everything it leads to still stands, so whoever relies on it has it confirmed.
struct Step {
  InodeId parent;
  std::string name;
  InodeId child;
};

struct Guard {
  std::string low;                  ///< First sort key of the leaf.
  std::optional<std::string> high;  ///< First sort key beyond it; none: the last leaf.
  LeafId origin;
  LeafId right;         ///< None with `high`.
  bool frozen = false;  ///< A split is under way: whoever would write finishes it first.
  Stamp generation;     ///< As read.

  bool covers(std::string_view sort) const { return sort >= low && (!high || sort < *high); }
};
Result<Guard> open_guard(const NamespaceContext& ns, const shard::LeafAddress& leaf,
                         const shard::Record& record);
shard::Record make_guard(Rng& rng, const NamespaceContext& ns, const shard::LeafAddress& leaf,
                         const Guard& guard);

/// What a dropped leaf leaves behind for those who still look for it.
struct Tombstone {
  LeafId left;   ///< The leaf that took over its range.
  LeafId right;  ///< Its right sibling then; 0: none.
};
Result<Tombstone> open_tombstone(const NamespaceContext& ns, const shard::LeafAddress& leaf,
                                 const shard::Record& record);
shard::Record make_tombstone(Rng& rng, const NamespaceContext& ns, const shard::LeafAddress& leaf,
                             const Tombstone& tombstone);

/// An entry's value: its name, then what depends on its type.
struct EntryValue {
  std::string name;
  std::string rest;
};
std::string encode_entry(std::string_view name, std::string_view rest);
Result<EntryValue> decode_entry(std::string bytes);
/// What follows the name in an entry's sealed value. `corrupted` when it is of another name.
Result<std::string> open_entry(const NamespaceContext& ns, const shard::Key& key, const shard::Record& record,
                               std::string_view name);

}  // namespace kiseki::fs::detail
