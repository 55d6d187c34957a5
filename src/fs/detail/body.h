#pragma once

#include "fs/detail/object_value.h"
#include "fs/detail/tree.h"

namespace kiseki::fs::detail {

/// A written body that nothing names yet.
struct Body {
  shard::Body kind = shard::Body::none;
  InodeId file;  ///< Names its rows.
  Bytes size = 0;
  std::string bytes;          ///< embedded, inline_row
  std::vector<Piece> pieces;  ///< references
  GcEpoch epoch;              ///< Lowest of the puts of `pieces` that are new; 0: none are.
};

/// Puts body and size into what will be sealed; `value` is encoded afterwards.
void describe(const Body& body, shard::Record& record, ObjectValue& value);

/// Who a map is written for.
struct BodyOwner {
  SpacePtr space;
  std::string key;  ///< Where the entry will be: how a sweeper tells a linked map from a lost one.
  std::size_t record_pieces_max = entry_pieces_max;  ///< More go to pages.
  Bytes small_max = inline_max;                      ///< Bodies up to this size are no chunks.
};

/// Collects the pieces of a body in order; a long map goes to pages as it grows (docs/formats/map-page.md).
/// Holds at most one page.
class MapWriter {
 public:
  /// `tree` outlives it.
  MapWriter(Tree& tree, BodyOwner owner) : tree_(tree), owner_(std::move(owner)) {}

  /// `epoch`: of the put; 0 when the transaction that links the body asserts another holder of the reference.
  Task<Result<>> add(Piece piece, GcEpoch epoch);
  /// References or pages; `none` without pieces.
  Task<Result<Body>> finish();
  /// After the commit that names the body.
  Task<> linked();
  /// The body will not be named: leaves its pages to the sweeper. As far as it gets; a crash or an error does
  /// the same later.
  Task<> discard();
  Bytes size() const noexcept { return first_ + pending_bytes_; }

 private:
  Task<Result<>> announce();
  Task<Result<>> write_page();

  Tree& tree_;
  BodyOwner owner_;
  InodeId file_;
  std::vector<Piece> pieces_;  // of the page to come
  GcEpoch epoch_;
  Bytes first_ = 0;  // where that page begins
  Bytes pending_bytes_ = 0;
  std::optional<shard::Key> pending_;  // the row that stands for the pages
};

/// Reads a body and stores it: at most two pieces in memory, one being read while the other is sealed and
/// written.
class BodyWriter {
 public:
  /// `tree` and `store` outlive it.
  BodyWriter(Tree& tree, PieceStore& store, BodyOwner owner);

  /// The whole of `source`, without its `finish`. `too_large`, `busy`, and what source and store answer.
  Task<Result<Body>> write(Source& source);
  Task<> linked() { return map_.linked(); }
  Task<> discard() { return map_.discard(); }

 private:
  Task<Result<>> fill(Source& source);
  Task<Result<>> read_into(Source& source, Bytes capacity);
  Task<Result<>> send();
  Task<Result<>> settle();
  void hash(Bytes until);
  Task<Result<Body>> small();

  Tree& tree_;
  PieceStore& store_;
  BodyOwner owner_;
  MapWriter map_;
  crypto::Hasher hasher_{crypto::HashKind::sha256};
  Buffer buffer_;
  Semaphore::Permit permit_;
  Bytes filled_ = 0, hashed_ = 0;  // of the buffer
  Bytes consumed_ = 0;             // of the source
  std::string carry_;              // what the last buffer read beyond its piece
  bool ended_ = false;
  std::shared_ptr<PieceStore::Outcome> in_flight_;  // of the put beside us and of us
};

/// Does it again with the chunks touched: a transaction was refused for its epoch.
Task<Result<>> touch(PieceStore& store, Body& body);

/// The inline row of a body, in the leaf where its entry is made.
shard::Key inline_key(NamespaceId space, shard::Home home, InodeId file);
/// The leaf of the map page that begins at `first`.
shard::LeafAddress page_leaf(NamespaceId space, InodeId file, Bytes first);

/// Opened map pages, in order: the pieces from `first` on.
struct MapWindow {
  Bytes first = 0, end = 0;
  std::vector<Piece> pieces;
};
/// The page that holds byte `offset` of a body of pages, and up to `pages_max` − 1 after it. `stale` when
/// there is none: the body was replaced.
Task<Result<MapWindow>> read_map(Tree& tree, SpacePtr space, InodeId file, Bytes offset,
                                 std::uint32_t pages_max);

}  // namespace kiseki::fs::detail
