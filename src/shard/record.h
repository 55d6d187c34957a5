#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/chunk_reference.h"
#include "base/ids.h"
#include "base/result.h"
#include "crypto/aead.h"
#include "shard/key.h"

namespace kiseki::shard {

enum class EntryType : std::uint8_t {
  none = 0,
  directory = 1,
  object = 2,
  file = 3,
  symbolic_link = 4,
  upload = 5
};

using Token = std::array<std::byte, 16>;

/// Where a file's own rows are; a file keeps its home for ever.
struct Home {
  InodeId container;
  LeafId leaf;
  friend bool operator==(const Home&, const Home&) = default;
};

/// On directory headers: the entry that names the directory. Written by every rename.
struct DirectoryLink {
  InodeId parent;
  LeafId leaf;  ///< A hint: where the entry was when written.
  Token token{};
  bool is_explicit = false;  ///< Made by mkdir or setattr: stays when empty.
  friend bool operator==(const DirectoryLink&, const DirectoryLink&) = default;
};

/// On guards (rule 2.1).
struct GuardLink {
  Stamp birth;    ///< Zero when sent; the shard puts the stamp of the first put.
  LeafId origin;  ///< The leaf it was split from; itself for leaf 0.
  LeafId right;   ///< Right sibling; 0: none.
  friend bool operator==(const GuardLink&, const GuardLink&) = default;
};

struct Retention {
  enum class Mode : std::uint8_t { none = 0, governance = 1, compliance = 2 };
  Mode mode = Mode::none;
  std::uint64_t until_ms = 0;
  bool legal_hold = false;
  friend bool operator==(const Retention&, const Retention&) = default;
};

/// Which rows besides the record hold the bytes.
enum class Body : std::uint8_t {
  none = 0,
  embedded = 1,    ///< In the sealed value itself, at most 512 bytes.
  inline_row = 2,  ///< An `inline_data` row at home, at most 16 KiB.
  references = 3,  ///< `references`, at most 8.
  pages = 4,       ///< `map_page` rows in the file's own container.
};

/// A row: a clear header for the blind side and a sealed value (docs/formats/record.md).
struct Record {
  static constexpr Bytes size_max = 64_KiB;
  static constexpr std::size_t references_max = 256;

  // Chosen by the writer and authenticated with the value.
  std::uint8_t cipher =
      0;  ///< 0: no value, or one that is not sealed (system rows of the blind side); 1: XAES.
  KeyEpoch key_epoch;
  crypto::Nonce192 nonce{};
  std::uint64_t account = 0;  ///< What usage is counted under.
  InodeId id;                 ///< Child directory or file.
  Home home;
  EntryType type = EntryType::none;
  Body body = Body::none;
  Bytes logical = 0;  ///< Size users see.
  Bytes stored = 0;   ///< What it takes, before redundancy.
  Retention retention;
  std::vector<ChunkReference> references;
  std::optional<DirectoryLink> link;
  std::optional<GuardLink> guard;

  // Kept by the shard, outside the authenticated data.
  Stamp version;             ///< Stamp of the last put.
  std::uint64_t change = 0;  ///< Rises with every change, touches included.

  crypto::Sealed value;

  std::string encode() const;
  Bytes encoded_size() const;
  /// `corrupted`, `wrong_format`.
  static Result<Record> decode(View bytes);
  /// All but the value, which stays empty.
  static Result<Record> decode_header(View bytes);
  friend bool operator==(const Record&, const Record&) = default;
};

/// What the value is authenticated with (rule 1.4): namespace ‖ container ‖ kind ‖ item (guards and index
/// pages: the leaf too) and the header fields the writer chose. A record can thus move between leaves as it
/// is, and nowhere else. `home`, `link` and `guard` are inside; `key.leaf.leaf` and `key.stamp` are not.
std::string associated_data(const Key& key, const Record& record);

/// A leaf's counters (rule 2.1), one small row apart from the guard so that a create rewrites 60 bytes.
struct Counters {
  std::uint64_t entries = 0;  ///< All entries, directories included.
  std::uint64_t subdirectories = 0;
  Bytes entry_bytes = 0;          ///< Encoded entry records; inline rows are not counted.
  Bytes logical = 0;              ///< Sum of the entries' logical sizes.
  std::uint64_t change = 0;       ///< Rises with every entry change.
  std::uint64_t modified_ms = 0;  ///< Maximum of the writers' times.

  std::string encode() const;
  static Result<Counters> decode(View bytes);
  friend bool operator==(const Counters&, const Counters&) = default;
};

/// Leaves are split at the first pair and refuse creates at the second (rule 2.3).
inline constexpr std::uint64_t leaf_entries_split = 1500, leaf_entries_max = 3000;
inline constexpr Bytes leaf_bytes_split = 1_MiB, leaf_bytes_max = 3_MiB;

}  // namespace kiseki::shard
