#pragma once

#include "fs/bodies/garbage.h"
#include "fs/bodies/object_value.h"
#include "fs/objects.h"
#include "fs/tree/tree.h"

namespace kiseki::fs::detail {

/// A written body that nothing names yet.
struct WrittenBody {
  shard::Body kind = shard::Body::none;
  InodeId file;  ///< Names its rows.
  Bytes size = 0;
  std::string bytes;          ///< embedded, inline_row
  std::vector<Piece> pieces;  ///< references
  GcEpoch epoch;              ///< Lowest of the puts of `pieces`; 0: none are new.
};

/// Puts body and size into what will be sealed; `value` is encoded afterwards.
void describe(const WrittenBody& body, shard::Record& record, ObjectValue& value);

/// Touches the new chunks again: a transaction was refused for its epoch.
Task<Result<>> touch(PieceStore& store, NamespaceId ns, WrittenBody& body);

/// Who a body is written for.
struct BodyOwner {
  NamespacePtr ns;
  RowOwner rows;                                     ///< The part that will name them, if it is one.
  std::size_t record_pieces_max = entry_pieces_max;  ///< More go to pages.
  Bytes small_max = inline_max;                      ///< Bodies up to this size are no chunks.
  Bytes size_max = Objects::size_max;                ///< Longer ones are `too_large`.
};

/// Collects the pieces of a body in order; a long map goes to pages as it grows (docs/formats/map-page.md).
/// Holds at most one page.
class MapWriter {
 public:
  /// `tree` and `store` outlive it.
  MapWriter(Tree& tree, PieceStore& store, BodyOwner owner)
      : tree_(tree), store_(store), owner_(std::move(owner)) {}

  /// `epoch`: of the put; 0 when the transaction that names the body asserts another holder of the chunk.
  /// `too_large`.
  Task<Result<>> add(Piece piece, GcEpoch epoch);
  /// References or pages; `none` without pieces.
  Task<Result<WrittenBody>> finish();
  /// After the commit that names the body, of a part. That of an object erases the pending row itself.
  Task<> linked();
  /// Nothing will name the body: leaves its pages to the sweeper, as far as it gets. What it does not reach
  /// waits for the end of the session.
  Task<> discard();

 private:
  Task<Result<>> announce();
  Task<Result<>> write_page();

  Tree& tree_;
  PieceStore& store_;
  BodyOwner owner_;
  WrittenBody page_;  // the page to come
  Bytes first_ = 0;
  InodeId file_;                       // from the first page on
  std::optional<shard::Key> pending_;  // the row that stands for the pages
};

/// Opened map pages, in order: the pieces of bytes [first, end).
struct MapWindow {
  Bytes first = 0, end = 0;
  std::vector<Piece> pieces;
};
/// Pages from the one that begins at `first`. `stale` when there is none: the body was replaced.
Task<Result<MapWindow>> pages_from(Tree& tree, NamespacePtr ns, InodeId file, Bytes first,
                                   std::uint32_t pages_max);
/// The page that holds byte `offset`. `stale`.
Task<Result<MapWindow>> page_at(Tree& tree, NamespacePtr ns, InodeId file, Bytes offset);

}  // namespace kiseki::fs::detail
