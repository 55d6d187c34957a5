#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "base/buffer.h"
#include "base/ids.h"
#include "base/result.h"

namespace kiseki::shard {

/// One of 65,536 places of the key space; shard boundaries lie between slots. 0 is the system's.
using Slot = std::uint16_t;

/// The rows that stay together whatever splits: one name range of one directory, or the rows of a file's
/// container.
struct LeafAddress {
  NamespaceId ns;
  InodeId container;
  LeafId leaf;
  friend auto operator<=>(const LeafAddress&, const LeafAddress&) = default;
};

/// Rule 1.1: 1 + SHA-256 mod 65,535; namespace 0 lives in slot 0.
Slot slot_of(const LeafAddress& address);

/// The slots of a shard, inclusive.
struct SlotRange {
  Slot first = 0, last = 0;

  bool contains(Slot slot) const noexcept { return first <= slot && slot <= last; }
  friend bool operator==(const SlotRange&, const SlotRange&) = default;
};
/// Of a replica that waits for its first snapshot.
inline constexpr SlotRange no_slots{.first = 1, .last = 0};

/// What a row is. Numbers are on disk and never change (docs/formats/keys.md gives each one's item).
enum class Kind : std::uint8_t {
  header = 0x01,       ///< A directory's own record: name key, attributes, link to its parent.
  guard = 0x02,        ///< A leaf's fences; its version is the leaf's generation.
  counters = 0x03,     ///< A leaf's counters; kept by the shard itself.
  tombstone = 0x04,    ///< A dropped leaf.
  pending = 0x05,      ///< Something made and not linked yet; item: session.
  entry = 0x06,        ///< item: token (16).
  inode = 0x07,        ///< item: file id (8).
  inline_data = 0x08,  ///< item: file id (8).
  map_page = 0x09,     ///< item: offset of its first byte (8).
  slice = 0x0a,        ///< item: file id (8); stamped.
  cut = 0x0b,          ///< item: file id (8); stamped.
  index_page = 0x0c,   ///< item: level (1), page number (8).
  version = 0x0d,      ///< item: chain id (8); stamped.
  upload = 0x0e,       ///< item: upload id (8).
  part = 0x0f,         ///< item: upload id (8), part number (4).
  lock = 0x10,         ///< item: file id (8), session that holds it (8).
  intent = 0x11,       ///< item: original kind ‖ original item.
  decision = 0x12,     ///< item: session (8), sequence (8).
  session = 0x13,      ///< System shard; item: session (8).
  orphan = 0x14,
  retained = 0x15,

  // Rows that consumers scan, in the order of their stamps.
  dead = 0x20,       ///< Not a row that transactions name: see reference_rows.h.
  reference = 0x21,  ///< The same.
  garbage = 0x22,    ///< item: file id (8). Rows of a file to delete.
  repair = 0x23,
  feed = 0x24,  ///< item: kind of event (1).
  audit = 0x25,

  // The system shard's.
  tenant = 0x30,          ///< item: tenant (8).
  name_namespace = 0x31,  ///< item: namespace (8).
  access_key = 0x32,      ///< item: first 16 bytes of SHA-256 of the access key id.
  key_descriptor = 0x33,  ///< item: namespace (8).
  id_lease = 0x34,        ///< item: namespace (8); 0 for namespace ids themselves.
  map = 0x35,
  job = 0x36,
  collection = 0x37,     ///< Where garbage collection has got.
  name_index = 0x38,     ///< item: token of a namespace's name (16).
  configuration = 0x3f,  ///< item: namespace (8).
};

/// What a feed row says happened.
enum class Event : std::uint8_t {
  leaf_emptied = 1,    ///< A leaf's entry counter reached 0.
  tombstone_left = 2,  ///< A tombstone or an index page waits for its deletion.
};

/// dead to audit: a column family of their own.
bool is_scanned(Kind kind) noexcept;
/// Whether a stamp follows the item.
bool is_stamped(Kind kind) noexcept;
/// False for numbers of no kind.
bool is_known(std::uint8_t kind) noexcept;

inline constexpr std::size_t item_max = 56;  // an intent's item holds a kind, an item of 40 and a stamp
/// Namespace ids stay below: their first byte is zero, which tells the two forms of a key apart.
inline constexpr std::uint64_t namespace_end = std::uint64_t{1} << 56;

/// A row's name. Byte order of the encoding is key order:
///   slot 2 | namespace 8 | container 8 | leaf 4 | kind 1 | item [| stamp 8]
///   scanned kinds: slot 2 | kind 1 | stamp 8 | namespace 8 | container 8 | leaf 4 | item
struct Key {
  LeafAddress leaf;
  Kind kind = Kind::header;
  std::string item;
  Stamp stamp;  ///< Zero for kinds without one, and in put-stamped operations, where the shard fills it in.

  std::string encode() const;
  /// `corrupted`.
  static Result<Key> decode(View bytes);
  friend auto operator<=>(const Key&, const Key&) = default;
};

Key key(const LeafAddress& leaf, Kind kind, std::string item = {});
/// Eight bytes, big-endian: the item of rows named by one number.
std::string item_of(std::uint64_t number);
/// The row by which a session holds a lock on a file.
Key lock_key(const LeafAddress& home, InodeId file, SessionId holder);
/// Whose lock the row is; nothing when it is none.
std::optional<SessionId> lock_holder(const Key& row);
/// Namespace 0, container 0, leaf 0: where the system shard's rows live.
Key system_key(Kind kind, std::string item);

}  // namespace kiseki::shard
